import { beforeEach, describe, expect, it } from '@jest/globals'
import type { InvalidToken } from '../src/ports/store/devices.ts'
import { DeadTokenGate } from '../src/vendor/dead-token-gate.ts'

let marked: string[]
let alerts: object[]
let gate: DeadTokenGate
beforeEach(() => {
  marked = []
  alerts = []
  const markInvalid = async (tokens: readonly InvalidToken[]) => {
    marked.push(...tokens.map((token) => token.id))
    return tokens.length
  }
  const log = { info: () => undefined, warn: () => undefined, error: (fields: object) => void alerts.push(fields) }
  gate = new DeadTokenGate({ store: { devices: { markInvalid } }, log, waitMs: 60_000 })
})

const suspects = (count: number, gated = true) =>
  Array.from({ length: count }, (_, index) => ({ id: String(index), token: `t${index}`, gated }))
const channel = { id: '7' }

describe('the dead-token gate', () => {
  it('marks at once what only a dead token can mean', () => {
    gate.judge(channel, suspects(30, false), 0)
    expect(marked).toHaveLength(30)
  })

  it('marks suspects where the batch had a success', () => {
    gate.judge(channel, suspects(30), 1)
    expect(marked).toHaveLength(30)
  })

  it('keeps all where more than 20 look dead and none was reached, and says so once', () => {
    for (let batch = 0; batch < 40; batch++) gate.judge(channel, suspects(25), 0)
    gate.close()
    expect(marked).toEqual([])
    expect(alerts).toEqual([{ alert: 'dead-token-gate', channelId: '7', suspects: 1000 }])
  })

  it('keeps all where they come one by one', () => {
    for (const suspect of suspects(30)) gate.judge(channel, [suspect], 0)
    gate.close()
    expect(marked).toEqual([])
    expect(alerts).toHaveLength(1)
  })

  it('marks a few where nothing speaks against it, and what waited when a success vouches for the channel', () => {
    gate.judge(channel, suspects(20), 0)
    gate.close()
    expect(marked).toHaveLength(20)
    gate.judge({ id: '8' }, suspects(21), 0)
    expect(marked).toHaveLength(20)
    gate.judge({ id: '8' }, [], 1)
    expect(marked).toHaveLength(41)
  })

  it('lets no channel vouch for another', () => {
    gate.judge({ id: '8' }, [], 100)
    gate.judge(channel, suspects(21), 0)
    gate.close()
    expect(marked).toEqual([])
  })
})
