import { generateKeyPairSync } from 'node:crypto'
import type { Batch, Channel, ChannelLimits, ChannelSettings, Message, PlatformName, Pusher } from '@fanfare/core'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { jest } from '@jest/globals'
import { openPushers, type PushersOptions } from '../src/index.ts'

// The machines that run this are busy: making a certificate alone can take seconds there.
jest.setTimeout(30_000)

/** The simulator and a channel of each vendor, opened as a process of ours opens them. */
export type Lab = {
  simulator: Simulator
  open(platform: PlatformName, more?: Partial<LabChannel>): Promise<Pusher>
  close(): Promise<void>
}

export type LabChannel = {
  credential: string
  settings: ChannelSettings
  limits: Partial<ChannelLimits>
  options: Partial<PushersOptions>
}

let channels = 0

export async function startLab(): Promise<Lab> {
  const simulator = await startSimulator()
  const closing: (() => Promise<void>)[] = []
  return {
    simulator,
    open: async (platform, more = {}) => {
      const pushers = openPushers({
        credentialOf: () => Promise.resolve(more.credential ?? credentialOf(platform)),
        vendorUrl: simulator.url,
        ca: simulator.caPem,
        smtp: `${simulator.smtp.host}:${simulator.smtp.port}`,
        ...more.options,
      })
      closing.push(() => pushers.close())
      const channel = channelOf(platform, more.settings)
      return pushers.for({ ...channel, limits: { ...channel.limits, ...more.limits } })
    },
    close: async () => {
      for (const close of closing) await close()
      await simulator.close()
    },
  }
}

export function channelOf(platform: PlatformName, settings: ChannelSettings = {}): Channel {
  const id = String(++channels)
  const at = new Date()
  return {
    id,
    appId: '1',
    platform,
    name: `channel-${id}`,
    limits: { rate: 0, unit: 'token', perMs: 1000 },
    settings: { ...SETTINGS[platform], ...settings },
    createdAt: at,
    updatedAt: at,
  }
}

const SETTINGS: Partial<Record<PlatformName, ChannelSettings>> = {
  apns: { keyId: 'ABCDE12345', teamId: 'TEAM123456', bundleId: 'com.example.app' },
  xiaomi: { packageName: 'com.example.app' },
  huawei: { appId: '10492024' },
  wecom: { corpId: 'corp-1', agentId: 1000002 },
  email: { host: 'mail.example.com', user: 'news@example.com', from: 'Fanfare <news@example.com>' },
}

export function credentialOf(platform: PlatformName): string {
  if (platform === 'fcm') return serviceAccount('demo-project')
  if (platform === 'apns') return p8Key()
  return 'app-secret'
}

const rsaKey = once(() => pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey))

/** A key of its own at every call. */
export const ecKey = (): string => pemOf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey)

/** Signs provider tokens; the same in all of a test, because a connection belongs to one key. */
export const p8Key = once(ecKey)

export function serviceAccount(projectId: string, clientEmail = `sender@${projectId}.example.com`): string {
  const account = { type: 'service_account', project_id: projectId, client_email: clientEmail, private_key: rsaKey() }
  return JSON.stringify({ ...account, private_key_id: 'key-1' })
}

export const never = new AbortController().signal

export const MESSAGE: Message = { title: 'Order', content: 'Shipped' }

let tasks = 1000

/** A batch with one member per token; the member ids are `0`, `1`, … */
export function batchOf(tokens: readonly string[], message: Message = MESSAGE, taskId = String(++tasks)): Batch {
  return {
    message,
    lane: 'single',
    wantsReply: true,
    members: tokens.map((token, index) => ({ id: String(index), token })),
    id: `${taskId}-0-x`,
    taskId,
    expiresAt: new Date(Date.now() + 3600_000),
  }
}

const pemOf = (key: { export(options: { type: 'pkcs8'; format: 'pem' }): string | Buffer }): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString()

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
