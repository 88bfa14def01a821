import { readFileSync } from 'node:fs'
import type { RootRoute } from '../http/route.ts'

const PACKAGE = new URL('../../package.json', import.meta.url)
const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }
const WELCOME = JSON.stringify({
  name: 'Fanfare',
  version,
  links: { live: '/health/live', ready: '/health/ready', queues: '/admin/queues' },
})

/** Whoever opens the address in a browser sees what stands here. */
export const getRoot: RootRoute = {
  policy: 'open',
  method: 'GET',
  path: '/',
  body: 'none',
  handle: async () => ({ body: WELCOME }),
}
