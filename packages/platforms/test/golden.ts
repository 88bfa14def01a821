import { readdirSync, readFileSync } from 'node:fs'
import type { JsonObject, Message } from '@fanfare/core'

/** One golden file: a message and what the vendor must be sent for it. */
export type Golden = { file: string; message: Message; context: JsonObject; pushType?: number; expected: unknown }

/** The golden files of a vendor whose name begins with `prefix`. */
export function goldenFiles(vendor: string, prefix = ''): Golden[] {
  const folder = new URL(`../src/vendors/${vendor}/fixtures/`, import.meta.url)
  const files = readdirSync(folder).filter((file) => file.startsWith(prefix) && file.endsWith('.json'))
  return files.map((file) => {
    const golden = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Omit<Golden, 'file'>
    return { ...golden, file, context: golden.context ?? {} }
  })
}
