import { APP_DISABLED, type Channel, type ChannelAccount, type ChannelStore, type Resealed } from '@fanfare/core'
import { trusted } from 'mongoose'
import { pauseText, toPause } from '../common/pause.ts'
import { resealed, type Sealed, type Sealer } from '../common/seal.ts'
import type { Db } from './connect.ts'
import { isDuplicate } from './errors.ts'
import { byIdsInOrder, rawOf } from './rows.ts'
import type { ChannelDoc } from './schemas.ts'

type Filter = Parameters<ReturnType<typeof rawOf<ChannelDoc>>['find']>[0]
type Change = Parameters<ChannelStore['update']>[1]

export function channelStore(db: Db, sealer: Sealer): Omit<ChannelStore, 'proofOf'> {
  return {
    /** The count is taken before the insert: racing inserts may pass the limit by as many as race. */
    async insert(channel, credential, most = Number.POSITIVE_INFINITY) {
      const { id, appId, limits, settings, account, pause, ...rest } = channel
      if ((await db.channels.countDocuments({ appId: Number(appId) })) >= most) return 'full'
      const now = await db.clock.now()
      const json = { limits: JSON.stringify(limits), settings: JSON.stringify(settings) }
      const sealed = sealer.seal(credential, { appId, channelId: id })
      const ids = { _id: Number(id), appId: Number(appId) }
      const row: ChannelDoc = { ...rest, ...ids, ...json, credential: sealed, createdAt: now, updatedAt: now }
      if (account) row.account = accountDoc(account)
      if (pause) row.pausedFor = pauseText(pause)
      return !(await isDuplicate(rawOf(db.channels).insertOne(row)))
    },
    async ofApp(appId) {
      const rows = await db.channels
        .find({ appId: Number(appId) }, NO_SECRET)
        .sort({ _id: 1 })
        .lean()
      return withApps(db, rows.map(toChannel))
    },
    byIds: async (ids) => withApps(db, await byIdsInOrder(db.channels, ids, toChannel)),
    async assign(id, account) {
      await rawOf(db.channels).updateOne({ _id: Number(id) }, { $set: { account: accountDoc(account) } })
    },
    ofAccount: (platform, accountId) => ofAccount(db, platform, accountId),
    update: (id, change) => update(db, sealer, id, change),
    /** The channel goes first, so that nothing is sent through it any more. */
    async remove(id) {
      const { deletedCount } = await db.channels.deleteOne({ _id: Number(id) })
      await db.devices.deleteMany({ channelId: Number(id) })
      return deletedCount > 0
    },
    reseal: (query) => reseal(db, sealer, query),
    async credential(id) {
      const row = await db.channels.findOne({ _id: Number(id) }, { appId: 1, credential: 1 }).lean()
      return row ? sealer.open(row.credential, { appId: String(row.appId), channelId: id }) : undefined
    },
  }
}

async function reseal(db: Db, sealer: Sealer, query: { after: string; limit: number }): Promise<Resealed> {
  const rows = await db.channels
    .find({ _id: trusted({ $gt: Number(query.after) }) }, { appId: 1, credential: 1 })
    .sort({ _id: 1 })
    .limit(query.limit)
    .lean()
  const failed: string[] = []
  let count = 0
  for (const { _id, appId, credential } of rows) {
    const after = resealed(sealer, { appId: String(appId), channelId: String(_id) }, () => credential)
    if (after === 'failed') failed.push(String(_id))
    else if (after) count += await putSealed(db, _id, { before: credential, after })
  }
  const last = rows.at(-1)
  return { resealed: count, failed, ...(rows.length === query.limit && last && { next: String(last._id) }) }
}

/** Only where it is still the same: no two sealings share a wrapped key. */
async function putSealed(db: Db, id: number, { before, after }: { before: Sealed; after: Sealed }): Promise<number> {
  const asRead = { _id: id, 'credential.wrappedDek': { $eq: before.wrappedDek } }
  return (await db.channels.updateOne(asRead, { $set: { credential: after } })).matchedCount
}

/** Channels of a disabled app are paused. */
async function withApps<T extends Channel | undefined>(db: Db, channels: T[]): Promise<T[]> {
  const appIds = [...new Set(channels.flatMap((channel) => (channel ? [Number(channel.appId)] : [])))]
  if (appIds.length === 0) return channels
  const rows = await db.apps.find({ _id: trusted({ $in: appIds }), disabled: true }, { _id: 1 }).lean()
  if (rows.length === 0) return channels
  const disabled = new Set(rows.map((row) => String(row._id)))
  return channels.map((channel) =>
    channel && disabled.has(channel.appId) ? { ...channel, pause: APP_DISABLED } : channel,
  )
}
async function ofAccount(db: Db, platform: string, accountId: string): Promise<Channel[]> {
  const query = { 'account.id': { $eq: accountId }, platform: { $eq: platform } } as Filter
  const rows = await rawOf(db.channels).find(query, { projection: NO_SECRET }).sort({ _id: 1 }).toArray()
  return withApps(db, rows.map(toChannel))
}

const accountDoc = ({ id, proof, key }: ChannelAccount): ChannelAccount => ({ id, proof, key })

type PublicRow = Omit<ChannelDoc, 'credential'>
const NO_SECRET = { credential: 0 } as const

async function update(db: Db, sealer: Sealer, id: string, change: Change): Promise<Channel | undefined> {
  const row = await db.channels.findOne({ _id: Number(id) }, { appId: 1 }).lean()
  if (!row) return undefined
  const { limits, settings, pause, credential, account } = change
  const set: Partial<ChannelDoc> = { updatedAt: await db.clock.now() }
  if (limits) set.limits = JSON.stringify(limits)
  if (settings) set.settings = JSON.stringify(settings)
  if (pause) set.pausedFor = pauseText(pause)
  if (credential !== undefined) set.credential = sealer.seal(credential, { appId: String(row.appId), channelId: id })
  if (account) set.account = accountDoc(account)
  const unset = pause === null ? { $unset: { pausedFor: 1 } } : {}
  const changed = await db.channels
    .findOneAndUpdate({ _id: Number(id) }, { $set: set, ...unset }, { returnDocument: 'after', projection: NO_SECRET })
    .lean<PublicRow>()
  return changed ? (await withApps(db, [toChannel(changed)]))[0] : undefined
}

/** Field by field, so that the credential never leaves by accident. */
function toChannel(row: PublicRow): Channel {
  return {
    id: String(row._id),
    appId: String(row.appId),
    platform: row.platform,
    name: row.name,
    limits: JSON.parse(row.limits),
    settings: JSON.parse(row.settings),
    ...(row.pausedFor !== undefined && { pause: toPause(row.pausedFor) }),
    ...(row.account && { account: accountDoc(row.account) }),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  }
}
