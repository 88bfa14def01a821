import { DEAD_DEVICE, DEMO_DEVICES, type DemoApp, type DemoDevice } from './demo-app.ts'
import { progressBar, table } from './table.ts'

/** One line of the demo's result: what was sent, what became of it, what it had to become. */
export type Step = { push: string; to: string; result: string; expected: string }
type TaskView = {
  state: string
  total: number
  counts: Record<string, number>
  targets?: { id: string; platform?: string; pushStatus: string; desc?: string }[]
}

const CROWD: readonly DemoDevice[] = Array.from({ length: 1000 }, (_, i) => {
  const platform = i % 5 < 2 ? 'fcm' : 'xiaomi'
  return { user: `crowd-${i}`, platform, token: `ok-crowd-${i}` }
})
const TASK_DEADLINE_MS = 60_000

/** Binds the demo's devices, sends pushes of every kind and answers what became of each. `say` prints a line. */
export async function runDemo(app: DemoApp, say: (line: string) => void): Promise<Step[]> {
  await app.addNotifiers(DEMO_DEVICES.map((device) => device.platform))
  await app.bind([...DEMO_DEVICES, DEAD_DEVICE])
  const steps: Step[] = []
  for (const device of DEMO_DEVICES) steps.push(await pushSync(app, device))
  steps.push(...(await pushAsync(app, ['alice', 'bob', 'carol'])), ...(await pushAsync(app, [DEAD_DEVICE.user])))
  say(`\n${stepTable(steps)}\n`)
  const bulk = [await pushToLabel(app), await broadcast(app, say)]
  say(`\n${stepTable(bulk)}\n`)
  return [...steps, ...bulk]
}

export const stepTable = (steps: readonly Step[]): string =>
  table([
    ['push', 'to', 'result', ''],
    ...steps.map((s) => [s.push, s.to, s.result, s.result === s.expected ? '✓' : `✗ expected ${s.expected}`]),
  ])

async function pushSync(app: DemoApp, { user, platform }: DemoDevice): Promise<Step> {
  const { body } = await app.call('POST', `push/sync/${user}`, { pushMessage: message('Synchronous') })
  const [answer] = body.data as { pushStatus: string }[]
  return { push: 'synchronous', to: `${user} (${platform})`, result: answer?.pushStatus ?? 'none', expected: 'SUCCESS' }
}

async function pushAsync(app: DemoApp, targets: readonly string[]): Promise<Step[]> {
  const { taskId } = await app.call('POST', 'push/single', { targets, pushMessage: message('Asynchronous') })
  const task = await taskDone(app, taskId)
  return (task.targets ?? []).map((target) => ({
    push: `asynchronous, task ${taskId}`,
    to: `${target.id} (${target.platform})`,
    result: [target.pushStatus, target.desc].filter(Boolean).join(' '),
    expected: target.id === DEAD_DEVICE.user ? 'FAIL bad device token: UNREGISTERED' : 'ASYNC_SUCCESS',
  }))
}

async function pushToLabel(app: DemoApp): Promise<Step> {
  const members = ['alice', 'bob', 'dave']
  const { body } = await app.call('GET', 'push/label')
  const labels = body.data as { name: string }[]
  if (!labels.some((label) => label.name === 'vip'))
    await app.call('POST', 'push/label', { name: 'vip', description: 'demo' })
  await app.call('POST', 'push/label/vip/user', { usernames: members })
  const answer = await app.call('POST', 'push/list/label', { targets: ['vip'], pushMessage: message('To a label') })
  const task = await taskDone(app, String((answer.body.data as { taskId: number }).taskId))
  return { push: 'label', to: 'vip', result: summary(task), expected: `${members.length} ASYNC_SUCCESS` }
}

async function broadcast(app: DemoApp, say: (line: string) => void): Promise<Step> {
  await app.bind(CROWD)
  const { body } = await app.call('POST', 'push/task', { pushMessage: message('To everyone') })
  const everyone = CROWD.length + DEMO_DEVICES.length
  let shown = ''
  const task = await taskDone(app, String(body.data), (now) => {
    const final = Object.values(now.counts).reduce((sum, count) => sum + count, 0)
    const line = `\r  broadcast to ${everyone} devices  ${progressBar(final, everyone)}`
    if (line !== shown) say(line)
    shown = line
  })
  say('')
  return { push: 'broadcast', to: 'everyone', result: summary(task), expected: `${everyone} ASYNC_SUCCESS` }
}

async function taskDone(app: DemoApp, taskId: string, seen: (task: TaskView) => void = () => {}): Promise<TaskView> {
  const deadline = Date.now() + TASK_DEADLINE_MS
  for (;;) {
    const { body } = await app.call('GET', `push/task/${taskId}`)
    const task = body.data as TaskView
    seen(task)
    if (task.state === 'done') return task
    if (Date.now() > deadline) throw new Error(`task ${taskId} is still ${task.state}: ${JSON.stringify(task.counts)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const summary = (task: TaskView): string =>
  Object.entries(task.counts)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ')

const message = (title: string) => ({ title, content: 'Hello from the quick start' })
