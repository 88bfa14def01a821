import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { ChannelError } from '@fanfare/core'
import { afterEach, describe, expect, it } from '@jest/globals'
import ipaddr from 'ipaddr.js'
import { isPublic } from '../src/guard/ranges.ts'
import { AddressRefused, openAddressGuard, openPushers, readAllowedAddresses } from '../src/index.ts'
import { batchOf, channelOf, never } from './lab.ts'

const MAIL = new Set([25, 587])
const at = (host: string, port = 587) => ({ host, port, ports: MAIL })
const allowed = (text: string) => readAllowedAddresses(text)
/** Answers one list after the other, the last one again and again. */
const answering = (...lists: string[][]) => {
  const asked: string[] = []
  const resolve = (name: string) => {
    asked.push(name)
    return Promise.resolve(lists[Math.min(asked.length, lists.length) - 1] ?? [])
  }
  return { resolve, asked }
}

describe('a public address', () => {
  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450:4001::1a'])(
    'is %s',
    (address) => expect(isPublic(ipaddr.parse(address))).toBe(true),
  )

  it.each([
    ...['0.0.0.0', '127.0.0.1', '127.9.9.9', '10.0.0.1', '172.16.0.1', '192.168.0.1', '169.254.169.254', '100.64.0.1'],
    ...['100.100.100.200', '168.63.129.16', '192.0.0.192', '192.0.2.1', '192.88.99.1', '198.18.0.1', '198.51.100.1'],
    ...['203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '::', '::1', '::127.0.0.1', '::ffff:127.0.0.1'],
    ...['::ffff:8.8.8.8', '::ffff:0:7f00:1', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2001:0:7f00::1'],
    ...['fc00::1', 'fd00:ec2::254', 'fe80::1', 'fec0::1', 'ff02::1', '2001:db8::1', '3fff::1', '100::1', '5f00::1'],
    ...['4000::1', 'fe80::1%eth0'],
  ])('is not %s', (address) => expect(isPublic(ipaddr.parse(address))).toBe(false))
})

describe('the guard', () => {
  it.each([
    ...['127.1', '0x7f.1', '2130706433', '0xa9fea9fe', '0177.0.0.1', '127.0.0.1.', '[::1]', '', ' ', 'a b', 'a@b'],
    ...['mail.example.com:25', '//mail.example.com', '1.2.3.4.5', 'mail..example.com', '-mail.example.com'],
    ...[
      '127.0.0.1',
      '10.0.0.5',
      '::1',
      '::ffff:7f00:1',
      'fe80::1%lo',
      'localhost',
      'LOCALHOST',
      'redis',
      'a.localhost',
    ],
    ...['mail.local', 'metadata.google.internal', 'x.localdomain', 'router.home.arpa'],
  ])('refuses the host %j by its text, and asks nobody', async (host) => {
    const { resolve, asked } = answering(['8.8.8.8'])
    const guard = openAddressGuard({ resolve })
    expect(() => guard.examine(at(host))).toThrow(AddressRefused)
    await expect(guard.connect(at(host))).rejects.toMatchObject({ name: 'AddressRefused', part: 'host' })
    expect(asked).toEqual([])
  })

  it.each([22, 80, 443, 6379, 0, 65_536, Number.NaN])('refuses port %p', (port) => {
    expect(() => openAddressGuard().examine(at('mail.example.com', port))).toThrow('port must be one of 25, 587')
  })

  it.each([[['10.0.0.5']], [['8.8.8.8', '169.254.169.254']], [['::ffff:127.0.0.1']]])(
    'refuses a name that resolves to %j',
    async (addresses) => {
      const guard = openAddressGuard(answering(addresses))
      await expect(guard.resolve(at('mail.example.com'))).rejects.toThrow('host is not a public address')
    },
  )

  it('answers the addresses that it checked', async () => {
    const guard = openAddressGuard(answering(['8.8.8.8', '2606:4700::1']))
    expect(await guard.resolve(at('mail.example.com'))).toEqual(['8.8.8.8', '2606:4700::1'])
    expect(await guard.resolve(at('9.9.9.9'))).toEqual(['9.9.9.9'])
  })

  it('asks DNS itself, and says so where a name has no address', async () => {
    const error = await openAddressGuard()
      .resolve(at('nobody.invalid'))
      .catch((reason: unknown) => reason)
    expect(error).not.toBeInstanceOf(AddressRefused)
    expect(error).toMatchObject({ code: expect.any(String) })
  })
})

describe("the operator's exceptions", () => {
  it.each([
    ['127.0.0.1:2525', at('127.0.0.1', 2525), true],
    ['127.0.0.1:2525', at('127.0.0.1', 587), false],
    ['127.0.0.1:2525', at('127.0.0.2', 2525), false],
    ['127.0.0.1:2525', at('8.8.8.8', 2525), false],
    ['10.0.0.0/8', at('10.9.9.9'), true],
    ['10.0.0.0/8', at('10.9.9.9', 6379), false],
    ['10.0.0.0/8', at('11.0.0.1'), true],
    ['[fd00::1]:26', at('fd00::1', 26), true],
    ['fd00::/8', at('fdff::9'), true],
    ['fd00::/8', at('fe80::9'), false],
    ['localhost', at('LocalHost'), true],
    ['localhost', at('localhost', 22), false],
    ['localhost:2526, 10.0.0.1', at('localhost', 2526), true],
  ])('%s and %j: %p', async (text, written, expected) => {
    const guard = openAddressGuard({ allowed: allowed(text) })
    expect(
      await guard.resolve(written).then(
        () => true,
        () => false,
      ),
    ).toBe(expected)
  })

  it('a name may resolve to anything, as the machine resolves it', async () => {
    const { resolve, asked } = answering(['8.8.8.8'])
    const guard = openAddressGuard({ allowed: allowed('localhost'), resolve })
    expect(await guard.resolve(at('localhost'))).toContain('127.0.0.1')
    expect(asked).toEqual([])
  })

  it.each([
    '10.0.0.0/33',
    '10.0.0/8',
    '127.1',
    '0x7f.1',
    'http://a.b',
    'a b',
    '[10.0.0.1]',
    '::1:70000x',
    'a:0',
    'a:70000',
  ])('%s is refused in one sentence', (entry) => {
    expect(() => allowed(`10.0.0.1,${entry}`)).toThrow(`must list`)
    expect(() => allowed(`10.0.0.1,${entry}`)).toThrow(JSON.stringify(entry))
  })

  it('are none by default', () => expect(allowed('')).toEqual([]))
})

describe('a connection', () => {
  const servers: Server[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
  })

  /** Listens on every loopback address; answers to which of them peers connected. */
  async function listener(): Promise<{ port: number; reached: string[] }> {
    const reached: string[] = []
    const server = createServer((socket: Socket) => {
      reached.push(String(socket.localAddress))
      socket.destroy()
    })
    servers.push(server)
    server.listen(0, '0.0.0.0')
    await once(server, 'listening')
    return { port: (server.address() as AddressInfo).port, reached }
  }

  it('goes to the address that was checked, and the next one is checked anew', async () => {
    const { port, reached } = await listener()
    const rebinding = answering(['127.0.0.2'], ['127.0.0.1'])
    const guard = openAddressGuard({ allowed: allowed(`127.0.0.2:${port}`), ...rebinding })
    const socket = await guard.connect(at('mail.example.com', port))
    expect(socket.remoteAddress).toBe('127.0.0.2')
    socket.destroy()
    await expect(guard.connect(at('mail.example.com', port))).rejects.toThrow('host is not a public address')
    expect([reached, rebinding.asked.length]).toEqual([['127.0.0.2'], 2])
  })

  it('goes to the next address where one does not answer', async () => {
    const { port, reached } = await listener()
    const guard = openAddressGuard({
      allowed: allowed(`127.0.0.0/8:${port},[::1]:${port}`),
      ...answering(['::1', '127.0.0.3']),
    })
    const socket = await guard.connect(at('mail.example.com', port))
    socket.destroy()
    expect(reached).toEqual(['127.0.0.3'])
  })

  it('of a mail server whose name now resolves to loopback is never opened', async () => {
    const { port, reached } = await listener()
    const rebinding = answering(['127.0.0.2'], ['127.0.0.1'])
    const pushers = openPushers({
      credentialOf: () => Promise.resolve('password'),
      guard: openAddressGuard({ allowed: allowed(`127.0.0.2:${port}`), ...rebinding }),
    })
    const pusher = await pushers.for(channelOf('email', { port }))
    // The server ends the first connection, and the mail, of which nothing has left, asks for a second one.
    await expect(pusher.push(batchOf(['a@example.com']), never)).rejects.toEqual(
      new ChannelError('host is not a public address'),
    )
    expect([reached, rebinding.asked.length]).toEqual([['127.0.0.2'], 2])
    await pushers.close()
  })
})
