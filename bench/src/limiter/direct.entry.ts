/**
 * One worker of the direct run: on each own account a backlog of bulk askers that never ends, in one process also single
 * pushes on the own accounts and on those of the other app. Limits change by messages of the parent.
 */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch, Channel, Lane, Limiter, Permit, Pushers } from '@fanfare/core'
import { openLimiter, openPushers } from '@fanfare/platforms'
import type { DirectOrder } from './direct.ts'
import { OTHER, OWN, PLATFORMS, type Platform, RATES } from './subject.ts'

/** Askers of one account in one process; members of one take where a request carries one token. */
const ASKERS = 2
const PIECE = 25
/** Tags what belongs to no single push. */
const BULK = 'bulk'
const SINGLE_EVERY_MS = 100
const never = new AbortController().signal

const order = JSON.parse(process.argv[2] ?? '{}') as DirectOrder
const limiter: Limiter = openLimiter(order.redisUrl)
const pushers: Pushers = openPushers({
  credentialOf: (channelId) => Promise.resolve(credentialOf(channelId)),
  vendorUrl: order.vendorUrl,
  ca: readFileSync(order.caFile, 'utf8'),
})
const rates = { ...RATES }
const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
})
let sent = 0
let stopped = false

function credentialOf(channelId: string): string {
  const [platform, account = ''] = channelId.split('-')
  if (platform !== 'fcm') return `secret-of-${account}`
  const email = `push@${account}.example.com`
  return JSON.stringify({ type: 'service_account', project_id: account, client_email: email, private_key: privateKey })
}

const madeAt = new Date()
const channelOf = (platform: Platform, account: string): Channel => ({
  id: `${platform}-${account}`,
  appId: account,
  platform,
  name: account,
  limits: { rate: account === OWN ? rates[platform] : RATES[platform], unit: 'token', perMs: 1000 },
  settings: platform === 'fcm' ? { projectId: account } : { appId: account },
  createdAt: madeAt,
  updatedAt: madeAt,
})

function batchOf(units: number, tag: string): Batch {
  const taskId = String(++sent)
  const content = `sent@${(performance.timeOrigin + performance.now()).toFixed(3)}#${tag}`
  return {
    message: { title: 'Fanfare', content },
    lane: tag === BULK ? 'bulk' : 'single',
    wantsReply: false,
    members: Array.from({ length: units }, (_, index) => {
      const id = `${process.pid}-${taskId}-${index}`
      return { id, token: `ok-${id}-${'x'.repeat(100)}` }
    }),
    id: taskId,
    taskId,
    expiresAt: new Date(Date.now() + 3600_000),
  }
}

/** Asks until there is a permit. */
async function permitFor(platform: Platform, account: string, ask: { units: number; lane: Lane }): Promise<Permit> {
  for (;;) {
    const got = await limiter.take(channelOf(platform, account), { ...ask, least: 1 })
    if (!('afterMs' in got)) return got
    await sleep(got.afterMs)
  }
}

async function backlog(platform: Platform): Promise<void> {
  const pusher = await pushers.for(channelOf(platform, OWN))
  while (!stopped) {
    const permit = await permitFor(platform, OWN, { units: pusher.batchSize > 1 ? 1000 : PIECE, lane: 'bulk' })
    await pusher.push(batchOf(permit.units, BULK), never)
    permit.answered()
  }
}

async function single(platform: Platform, account: string): Promise<void> {
  const batch = batchOf(1, account)
  const permit = await permitFor(platform, account, { units: 1, lane: 'single' })
  const pusher = await pushers.for(channelOf(platform, account))
  await pusher.push(batch, never)
  permit.answered()
}

function start(): void {
  for (const platform of PLATFORMS) {
    for (let asker = 0; asker < ASKERS; asker++) void backlog(platform)
    if (!order.singles) continue
    for (const account of [OWN, OTHER]) setInterval(() => void single(platform, account), SINGLE_EVERY_MS)
  }
}

process.on('message', (change) => {
  const { platform, rate } = change as { platform: Platform; rate: number }
  rates[platform] = rate
})
process.once('SIGTERM', () => {
  stopped = true
  process.exit(0)
})
/** Opening loads the vendors' libraries, which is no part of what is measured. */
for (const platform of PLATFORMS) for (const account of [OWN, OTHER]) await single(platform, account)
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
start()
