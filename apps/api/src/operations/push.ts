import {
  type App,
  type ChunkRef,
  chunksOfUsers,
  DEFAULT_STRATEGY,
  type Device,
  type Enqueue,
  type Idempotency,
  type Message,
  type NewChunk,
  type NewTask,
  PushError,
  type Route,
  routeOf,
  type Target,
} from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { sent } from '../http/reply.ts'
import type { Answer, TenantCall } from '../http/route.ts'
import { toMessage } from '../wire/message.ts'
import { type Common, onUnknownOf } from '../wire/push.ts'
import { idempotencyOf, replay } from './idempotency.ts'

/** The message and the route of a send; routes that need the online channel are refused before anything is done. */
export function sendOf(ctx: ApiContext, given: Common): { message: Message; route: Route } {
  const strategy = given.strategy ?? DEFAULT_STRATEGY
  if (strategy !== DEFAULT_STRATEGY) {
    const detail = `strategy ${strategy} needs the online channel, which does not exist yet; use strategy ${DEFAULT_STRATEGY}`
    throw new PushError('SERVICE_NOT_OPEN', { detail })
  }
  return { message: toMessage(given.pushMessage, ctx.config.hanWidth), route: routeOf(strategy) }
}

const ROOM_AGAIN_SECONDS = 5

/** Refuses what would have to be queued while Redis is full; workers make room (docs/reliability.md T16). */
export function requireRoom({ memory }: Pick<ApiContext, 'memory'>): void {
  if (memory.isFull) throw new PushError('QUEUE_FULL', {}, { retryAfterSeconds: ROOM_AGAIN_SECONDS })
}

/**
 * An asynchronous push to users: accepted when the store has it, then enqueued without waiting (docs/design.md §6).
 * What Redis does not take the sweeper brings back. `answer` makes the answer's data, one element per given target.
 */
export async function pushUsers(
  ctx: ApiContext,
  call: TenantCall,
  given: Common,
  audience: { targets: readonly string[]; answer: (targets: readonly string[]) => unknown },
): Promise<Answer> {
  const send = sendOf(ctx, given)
  const idempotency = idempotencyOf(ctx, call)
  requireRoom(ctx)
  const earlier = await enterBacklog(ctx, call.app, idempotency)
  if (earlier && idempotency) return replay(idempotency, earlier)
  const targets = await resolveTargets(ctx, call.app, audience.targets)
  const chunks = await withWaiting(ctx, chunksOfUsers(targets))
  const taskId = await ctx.ids.next()
  const task = singleTask(ctx, call.app, { ...send, onUnknown: onUnknownOf(given) }, { taskId, targets, chunks })
  const answer = sent(call, taskId, audience.answer(audience.targets))
  const stored = { status: answer.status ?? 200, body: answer.body }
  if (ctx.at) await ctx.at('before-commit')
  const created = await ctx.shared.create.add({
    task,
    chunks,
    ...(idempotency && { idempotency: { ...idempotency, answer: stored } }),
  })
  if (idempotency && created !== 'created') return replay(idempotency, created.taken)
  if (ctx.at) await ctx.at('after-commit')
  ctx.background.run(enqueue(ctx, taskId, chunks), ctx.log, 'enqueuing jobs')
  if (ctx.at) await ctx.at('before-answer')
  return answer
}

/** A replay of an accepted request is answered although the backlog is full by now. */
function enterBacklog(ctx: ApiContext, app: App, idempotency: Idempotency | undefined) {
  try {
    ctx.backlogs.add(app)
    return undefined
  } catch (refusal) {
    if (!idempotency) throw refusal
    return ctx.store.tasks.byKey(app.id, idempotency.key).then((taken) => {
      if (taken) return taken
      throw refusal
    })
  }
}

/** Chunks of paused channels wait in the store; the sweeper brings them back when their channel goes on. */
async function withWaiting(ctx: ApiContext, chunks: readonly NewChunk[]): Promise<NewChunk[]> {
  const judged: NewChunk[] = []
  for (const chunk of chunks) {
    const known = chunk.channelId === undefined ? undefined : ctx.channels.get(chunk.channelId)
    const channel = known instanceof Promise ? await known : known
    judged.push(channel?.pause === undefined ? chunk : { ...chunk, state: 'waiting' })
  }
  return judged
}

type Plan = { taskId: string; targets: readonly Target[]; chunks: readonly NewChunk[] }

function singleTask(
  ctx: ApiContext,
  app: App,
  send: Pick<NewTask['task'], 'message' | 'route' | 'onUnknown'>,
  plan: Plan,
): NewTask['task'] {
  const createdAt = ctx.clock.in(0)
  return {
    ...send,
    id: plan.taskId,
    appId: app.id,
    lane: 'single',
    audience: { kind: 'users', userIds: plan.targets.map(({ userId }) => userId) },
    state: plan.chunks.every((chunk) => chunk.state === 'done') ? 'done' : 'sending',
    createdAt,
    expiresAt: new Date(createdAt.getTime() + ctx.config.taskTtlMs),
  }
}

/** Users with their devices; ids fold to lower case and a repeated target is one. */
async function resolveTargets(ctx: ApiContext, app: App, given: readonly string[]): Promise<Target[]> {
  const userIds = given.length === 1 ? [foldId(given[0])] : [...new Set(given.map(foldId))]
  const asked = userIds.map((userId) => ({ appId: app.id, userId }))
  const found = await ctx.shared.devicesOf.add(asked)
  const missing = asked.filter((_, index) => devicesAt(found, index).length === 0)
  const exist = missing.length === 0 ? [] : await ctx.shared.exist.add(missing)
  const known = new Set(missing.filter((_, index) => exist[index]).map(({ userId }) => userId))
  return userIds.map((userId, index) => {
    const devices = devicesAt(found, index)
    return { userId, devices, exists: devices.length > 0 || known.has(userId) }
  })
}

const foldId = (given: string | undefined): string => (given ?? '').toLowerCase()
const devicesAt = (found: readonly Device[][], index: number): Device[] => found[index] ?? []

/** Best effort after the commit. */
async function enqueue(ctx: ApiContext, taskId: string, chunks: readonly NewChunk[]): Promise<void> {
  if (ctx.at) await ctx.at('before-enqueue')
  const items: Enqueue[] = []
  for (const { seq, channelId, state, members } of chunks) {
    if (channelId === undefined || state === 'done' || state === 'waiting') continue
    const known = ctx.channels.get(channelId)
    const channel = known instanceof Promise ? await known : known
    const ref: ChunkRef = { taskId, seq, gen: 0 }
    if (!channel) continue
    const { platform, appId } = channel
    items.push({ ...ref, platform, channelId, appId, members: members.length, lane: 'single' })
  }
  if (items.length > 0) await ctx.jobs.enqueue(items)
  if (ctx.at) await ctx.at('after-enqueue')
}
