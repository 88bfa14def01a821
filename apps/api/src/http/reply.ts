import type { Answer, Call } from './route.ts'

/** The envelope of push and label routes: `timestamp`, `data`, `duration` and nothing else (docs/wire-api.md §1). */
export function data(call: Call, value: unknown, more: { cursor?: string } = {}): Answer {
  const now = Date.now()
  return { body: JSON.stringify({ timestamp: now, ...more, data: value, duration: now - call.startedAt }) }
}

/** The envelope of bindings (docs/wire-api.md §4.1). */
export function entities(call: Call, list: readonly unknown[]): Answer {
  const now = Date.now()
  const action = call.method.toLowerCase()
  return { body: JSON.stringify({ timestamp: now, entities: list, action, duration: now - call.startedAt }) }
}

/** The envelope of notifiers (docs/wire-api.md §4.3). */
export function notifierEntities(call: Call, list: readonly unknown[]): Answer {
  const now = Date.now()
  const body = {
    path: '/notifiers',
    uri: `http://${call.headers.host ?? 'localhost'}${call.path}`,
    timestamp: now,
    entities: list,
    count: list.length,
    action: call.method.toLowerCase(),
    duration: now - call.startedAt,
  }
  return { body: JSON.stringify(body) }
}
