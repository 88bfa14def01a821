import { gzipSync } from 'node:zlib'
import type { Kind } from '../behaviours.ts'
import type { Exchange, Reply } from './exchange.ts'

/** How an answer is given: at once or late, whole or broken. */
export type Performance = { kind: Kind; afterMs: number; dripMs: number }

const DRIP_MS = 1000
const BOMB_BYTES = 64 * 1024 * 1024
const ENDLESS_CHUNK = 'x'.repeat(16 * 1024)
const HTML_502 = '<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>'
const RUBBISH: readonly string[] = [
  '<!doctype html><p>Welcome to the hotel network</p>',
  '{"result":"ok","code":',
  '',
  'null',
  '[]',
  '{}',
  '"ok"',
  '{"name":17,"code":{"a":1},"result":[],"errcode":"none","msg":{"success":[]}}',
  '\u0000\u0001\ufffd',
  '0',
]

let bomb: Buffer | undefined
let rubbishCount = 0

/** Gives the answer, or what the kind makes of it. */
export function perform(exchange: Exchange, reply: Reply, how: Performance): void {
  if (how.afterMs > 0) setTimeout(act, how.afterMs, exchange, reply, how).unref()
  else act(exchange, reply, how)
}

type Act = (exchange: Exchange, reply: Reply, dripMs: number) => void

const ACTS: Partial<Record<Kind, Act>> = {
  hang: () => undefined,
  reset: (exchange) => exchange.resetConnection(),
  'reset-stream': (exchange) => exchange.resetStream('internal'),
  'refuse-stream': (exchange) => exchange.resetStream('refused'),
  close: (exchange) => exchange.endConnection(),
  goaway: (exchange, reply) => {
    exchange.goAway()
    exchange.reply(reply)
  },
  '502': (exchange) => exchange.reply({ status: 502, headers: { 'content-type': 'text/html' }, body: HTML_502 }),
  rubbish: (exchange, reply) => exchange.reply({ ...reply, status: 200, body: nextRubbish() }),
  drip,
  endless: pour,
  gzip: explode,
}

function act(exchange: Exchange, reply: Reply, { kind, dripMs }: Performance): void {
  const broken = ACTS[kind]
  if (broken) broken(exchange, reply, dripMs || DRIP_MS)
  else exchange.reply(reply)
}

function nextRubbish(): string {
  return RUBBISH[rubbishCount++ % RUBBISH.length] ?? ''
}

function drip(exchange: Exchange, reply: Reply, everyMs: number): void {
  const to = exchange.open(reply.status, reply.headers ?? {})
  const body = reply.body || ' '.repeat(64)
  let at = 0
  const timer = setInterval(() => {
    if (to.destroyed) clearInterval(timer)
    else if (at < body.length) to.write(body.charAt(at++))
    else {
      clearInterval(timer)
      to.end()
    }
  }, everyMs)
  timer.unref()
  to.once('close', () => clearInterval(timer))
}

/** Writes as fast as the other side reads, until it goes away. */
function pour(exchange: Exchange, reply: Reply): void {
  const to = exchange.open(200, reply.headers ?? {})
  const more = () => {
    while (!to.destroyed && to.write(ENDLESS_CHUNK));
  }
  to.on('drain', more)
  more()
}

function explode(exchange: Exchange): void {
  bomb ??= gzipSync(Buffer.alloc(BOMB_BYTES))
  exchange.open(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb)
}
