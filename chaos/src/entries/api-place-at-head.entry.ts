/** An API that takes a place for each request as soon as its head is there, and bounds no connections. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readConfig, Sockets } from '@fanfare/api'
import { runApi } from './run-api.ts'

const PLACES = 500

class PlaceAtHead extends Sockets {
  #taken = 0

  override accept(): void {
    // No bound.
  }

  override enter(_req: IncomingMessage, res: ServerResponse): boolean {
    if (this.#taken >= PLACES) return false
    this.#taken++
    res.once('close', () => this.#taken--)
    return true
  }
}
await runApi({ sockets: new PlaceAtHead(readConfig()) })
