export { Batcher } from './common/batcher.ts'
export { ChannelCache } from './common/channel-cache.ts'
export {
  acceptError,
  type ErrorCode,
  type ErrorDetails,
  PushError,
  Refusal,
  SealError,
  StoreDownError,
} from './common/errors.ts'
export { IdleMap } from './common/idle-map.ts'
export { Ids, isId } from './common/ids.ts'
export { StoreClock } from './common/store-clock.ts'
export { Turns } from './common/turns.ts'
export { Deliverer } from './deliver/deliverer.ts'
export {
  type Codes,
  countOutcomes,
  isFinal,
  isFinalCode,
  packOutcomes,
  toCodes,
  toOutcomes,
  unpackOutcomes,
} from './ledger/outcomes.ts'
export { backoffMs, RETRY } from './ledger/retry.ts'
export { SENTENCES } from './ledger/sentences.ts'
export { after, afterFirst, afterWrite, type ChunkEvent, EVENTS, FIELD_MOVES, type Rule } from './ledger/states.ts'
export { begin, created, dueAtOf, type Moves } from './ledger/states-effects.ts'
export type { Given, LedgerRow, TaskFacts } from './ledger/states-guards.ts'
export { writeLedger } from './ledger/write.ts'
export type { App, AppSettings } from './nouns/app.ts'
export {
  type Channel,
  type ChannelAccount,
  type ChannelLimits,
  type ChannelSettings,
  PLATFORMS,
  type PlatformName,
} from './nouns/channel.ts'
export { type Chunk, type ChunkRef, type ChunkState, type Member, OUTCOMES, type Outcome } from './nouns/chunk.ts'
export { APP_DEFAULTS, CHUNK_SIZE, DEFAULT_LIMITS, LEASE_MS, TASK_TTL_MS } from './nouns/defaults.ts'
export type { Device } from './nouns/device.ts'
export type { Label, LabelMember } from './nouns/label.ts'
export type { JsonObject, JsonValue, Message } from './nouns/message.ts'
export { APP_DISABLED, type Pause, pauseOfSentence, sentenceOfPause } from './nouns/pause.ts'
export { REASONS_PER_CHUNK } from './nouns/reasons.ts'
export type { Audience, Canary, Lane, OnUnknown, Plan, PlanRange, Route, Task, TaskState, Way } from './nouns/task.ts'
export { PageTurns } from './plan/page-turns.ts'
export { type PlanContext, plan } from './plan/plan.ts'
export { Window, type WindowOptions } from './plan/window.ts'
export type { At } from './ports/at.ts'
export type { Enqueue, Jobs } from './ports/jobs.ts'
export type { Limiter, Permit, PermitAsk, TaskRate } from './ports/limiter.ts'
export type { Log } from './ports/log.ts'
export {
  type AskAgain,
  type Batch,
  type BatchMember,
  BusyError,
  ChannelError,
  type Pusher,
  type Pushers,
  type PushResult,
} from './ports/pusher.ts'
export type { AccountStore } from './ports/store/accounts.ts'
export type { AppStore, NewApp } from './ports/store/apps.ts'
export type { ChannelStore, NewChannel, Resealed } from './ports/store/channels.ts'
export type { BacklogRow, ChunkStore, ChunkWrite, Claimed, Rescue, WaitingLane } from './ports/store/chunks.ts'
export type { Binding, DevicePage, DeviceRange, DeviceStore, InvalidToken, LabelRange } from './ports/store/devices.ts'
export type { LabelStore } from './ports/store/labels.ts'
export type { Store } from './ports/store/store.ts'
export type {
  CreateResult,
  Idempotency,
  NewChunk,
  NewTask,
  StoredAnswer,
  Taken,
  TaskChange,
  TaskCounts,
  TaskStore,
} from './ports/store/tasks.ts'
export type { TokenStore } from './ports/store/tokens.ts'
export type { SyncPlace, SyncPlaces } from './ports/sync-places.ts'
export { pushNow } from './push-now/push-now.ts'
export type { NowResult } from './push-now/send-now.ts'
export { Sweeper } from './sweep/sweeper.ts'
export { chunksOfUsers } from './tasks/chunks-of-users.ts'
export { jobsOf, withWaiting } from './tasks/enqueue.ts'
export { cancelTask, changeTask, moveTask, pauseTask, resumeTask } from './tasks/life.ts'
export { newTask } from './tasks/new-task.ts'
export { MOVES, type TaskEvent } from './tasks/states.ts'
export { targetsOf, usersOf } from './tasks/targets.ts'
export { accountKey, claimedId, countingId } from './vendor/account-key.ts'
export { Accounts, type AccountView, type Identity } from './vendor/accounts.ts'
export { Vendors } from './vendor/vendors.ts'
