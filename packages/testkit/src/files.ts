import { constants } from 'node:fs'
import { access, mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout, from sources and from dist alike. */
export const REPO_ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** A new directory below the system's temporary one. */
export const tempDir = (name = 'test'): Promise<string> => mkdtemp(join(tmpdir(), `fanfare-${name}-`))

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** The full path of a program on `path`, or undefined. */
export async function onPath(program: string, path: string): Promise<string | undefined> {
  for (const directory of path.split(delimiter)) {
    const file = join(directory, program)
    if (await isExecutable(file)) return file
  }
  return undefined
}

export const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
