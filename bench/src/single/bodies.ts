import type { Request } from 'autocannon'

/** The common push: one user, a title and a content. */
const pushBody = (user: number): object => ({
  targets: [`u${user}`],
  async: true,
  strategy: 2,
  pushMessage: { title: 'Fanfare', subTitle: 'single', content: 'one push to one user', ext: { orderId: user } },
})

/** `count` requests to distinct users, as they go over the wire: the same bytes for ours and for the yardstick. */
export function pushRequests(path: string, token: string, count: number): Request[] {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return Array.from({ length: count }, (_, user) => ({
    method: 'POST',
    path,
    headers,
    body: JSON.stringify(pushBody(user)),
  }))
}
