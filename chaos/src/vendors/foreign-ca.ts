import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSimulator } from '@fanfare/simulator'

/** The path of a CA's certificate that signed nothing here: another simulator made it for itself. */
export async function foreignCa(): Promise<string> {
  const caFile = join(mkdtempSync(join(tmpdir(), 'fanfare-ca-')), 'ca.pem')
  const simulator = await startSimulator({ caFile })
  await simulator.close()
  return caFile
}
