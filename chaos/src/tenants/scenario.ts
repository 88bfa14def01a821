import { simulatorClient } from '@fanfare/simulator'
import {
  type Figures,
  Fleet,
  numberOf,
  type Options,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  sleep,
  storeFigures,
  storeOptions,
} from '@fanfare/testkit'
import type { Attack, Strike } from './attack.ts'
import { ATTACKS } from './attacks/index.ts'
import { Ground } from './ground.ts'
import { type AttackFigures, broken, failedFigures, figuresOf, onlySlow, totals } from './judge.ts'
import { Victim } from './victim.ts'

/** One tenant attacks, another measures: what each attack costs the victim. */
export const tenants: Scenario = {
  options: {
    ...STORE_OPTIONS,
    only: { type: 'string' },
    without: { type: 'string' },
    'expect-loss': { type: 'boolean', default: false },
    /** Of each attack; half as long is measured before it. */
    seconds: { type: 'string', default: '6' },
    /** A busy machine slows a victim down once, an attack each time. */
    tries: { type: 'string', default: '3' },
    workers: { type: 'string', default: '1' },
  },
  run,
}

const WARM_UP_MS = 2000
/** An attack that does not end when it is told so is left behind. */
const END_MS = 5000

async function run(options: Options): Promise<Figures> {
  const startedAt = performance.now()
  const attacks: AttackFigures[] = []
  for (const attack of chosen(options)) {
    progress(`${attack.name}: ${attack.does}`)
    const figures = await tried(attack, options)
    progress(`${attack.name} ${broken(figures).join('; ') || 'held'} ${JSON.stringify(figures)}`)
    attacks.push(figures)
  }
  const sums = totals(attacks)
  return {
    ...sums,
    attacks,
    seconds: round((performance.now() - startedAt) / 1000),
    ...storeFigures(options),
    held: options['expect-loss'] === true ? attacks.every(hurt) : sums.failed === 0,
  }
}

/** What was lost or refused is final; what was only slow is tried again. */
async function tried(attack: Attack, options: Options): Promise<AttackFigures> {
  const tries = options['expect-loss'] === true ? 1 : numberOf(options, 'tries')
  for (let left = tries - 1; ; left--) {
    const figures = await runAttack(attack, options).catch((error: unknown) => failedFigures(attack.name, error))
    if (left <= 0 || !onlySlow(figures)) return figures
    progress(`${attack.name} again: ${broken(figures).join('; ')}`)
  }
}

/** An attack that did not run hurt nobody. */
const hurt = (figures: AttackFigures): boolean => figures.error === undefined && broken(figures).length > 0

function chosen(options: Options): readonly Attack[] {
  const without = options['without'] as string | undefined
  const names = without === undefined ? (options['only'] as string | undefined)?.split(',') : [without]
  const attacks = ATTACKS.filter(({ name }) => names === undefined || names.includes(name))
  const unknown = names?.filter((name) => !ATTACKS.some((attack) => attack.name === name)) ?? []
  if (unknown.length > 0) {
    throw new Error(`no attack ${unknown.join(', ')}: one of ${ATTACKS.map(({ name }) => name).join(', ')}`)
  }
  if (without !== undefined && !attacks[0]?.without) throw new Error(`${without} has no cure that can be switched off`)
  return attacks
}

/** Each attack has a fleet of its own, so that none finds what another left behind. */
async function runAttack(attack: Attack, options: Options): Promise<AttackFigures> {
  const fleet = await Fleet.start({
    ...storeOptions(options),
    workers: numberOf(options, 'workers'),
    log: progress,
    ...(attack.env && { env: attack.env }),
    ...(options['without'] === undefined ? {} : attack.without),
  })
  const simulator = simulatorClient(fleet.controlUrl)
  const ground = new Ground(fleet, simulator)
  let victim: Victim | undefined
  try {
    await simulator.setMode({ bodies: false })
    // Apple knows whose key it is; the simulator would hold an attacker's tokens against the victim's team.
    await simulator.settings({ apnsTokenUpdateSeconds: 0 })
    victim = await Victim.create(fleet, simulator)
    const strike = await attack.prepare(ground)
    const duringMs = numberOf(options, 'seconds') * 1000
    await victim.beside('warm-up', () => sleep(WARM_UP_MS))
    await victim.beside('before', () => sleep(duringMs / 2))
    await victim.beside('during', () => struck(ground, strike, duringMs))
    const harm = strike.harm?.()
    return { ...(await figuresOf(attack.name, victim, ground)), ...(harm !== undefined && { harm }) }
  } finally {
    ground.close()
    await victim?.close()
    await fleet.close()
  }
}

async function struck(ground: Ground, strike: Strike, forMs: number): Promise<void> {
  await strike.build?.()
  const going = strike.go?.()
  await sleep(forMs)
  ground.end()
  await Promise.race([going, sleep(END_MS)])
}
