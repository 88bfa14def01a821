import { Rig, tokens, until } from './rig.ts'
const rig = await Rig.start()
const limited = process.argv[2] === 'limited'
const channel = await rig.channel('fcm', limited ? { limits: { rate: 500, unit: 'token', perMs: 1000 } } : {})
const N = 60
const devices = await rig.devices(channel, tokens('ok-l', N))
const marks: any[] = []
const worker = await rig.worker({ at: (p) => { marks.push([p, performance.now()]) } }, { leaseMs: 10000, lockMs: 10000, stalledMs: 5000, sweepMs: 500, graceMs: 2000 })
await new Promise((r) => setTimeout(r, 1500))
const lat: number[] = []
for (let i = 0; i < N; i++) {
  marks.length = 0
  const t0 = performance.now()
  const task = await rig.task(channel, [devices[i]!])
  const t1 = performance.now()
  await rig.enqueue(channel, [task])
  const t2 = performance.now()
  while (rig.simulator.journal.counts('fcm').accepted < i + 1) await new Promise((r) => setTimeout(r, 1))
  const t3 = performance.now()
  lat.push(t3 - t1)
  if (i % 10 === 5) console.log('commit', (t1 - t0).toFixed(1), 'enq', (t2 - t1).toFixed(1), 'arrive', (t3 - t1).toFixed(1), marks.map(([p, t]) => p + ' ' + (t - t1).toFixed(1)).join(', '))
  await new Promise((r) => setTimeout(r, 50))
}
lat.sort((a, b) => a - b)
console.log('p50', lat[30], 'p90', lat[54], JSON.stringify(worker.counters))
await rig.stop(); process.exit(0)
