import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const CHAOS = join(import.meta.dirname, '../chaos/dist/main.js')

type Printed = {
  lost: number
  refused: number
  attacks: {
    name: string
    lost: number
    refused: number
    duplicates: number
    attacker: Record<string, number>
    harm?: string
  }[]
}

/** Runs the isolation suite; answers what it printed. */
async function tenants(...options: string[]): Promise<Printed> {
  const args = [CHAOS, 'tenants', '--seconds', '2', '--tries', '1', ...options]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  child.stdout.on('data', (part: Buffer) => {
    text += part.toString('utf8')
  })
  await new Promise((resolve) => child.once('exit', resolve))
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Printed
}

// Times are judged by the whole suite on a quiet machine: beside other tests they say nothing.
describe('the isolation suite', () => {
  it('lets an attacker make labels without anything of the victim being lost, refused or sent twice', async () => {
    const { attacks, ...sums } = await tenants('--only', 'labels')
    expect(sums).toMatchObject({ lost: 0, refused: 0 })
    expect(attacks).toMatchObject([{ name: 'labels', lost: 0, refused: 0, duplicates: 0 }])
    expect(attacks[0]?.attacker['200']).toBeGreaterThan(0)
  }, 120_000)

  it('sees what an attack does where its cure is switched off by an entry', async () => {
    const held = await tenants('--only', 'internal-addresses')
    expect(held.attacks[0]?.harm).toBeUndefined()
    const hurt = await tenants('--without', 'internal-addresses', '--expect-loss')
    expect(hurt.attacks[0]?.harm).toMatch(/connections to an address inside$/)
  }, 120_000)
})
