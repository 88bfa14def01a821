export type Service = {
  start(): Promise<void>
  /** Answers false where the end was cut short. */
  destroy(): Promise<unknown>
}
export type Program<S extends Service> = {
  /** Names the program in its last words. */
  app: string
  open(): Promise<S>
  /** What the ready line says besides `ready`. */
  ready?: (service: S) => object
  /** Whatever happens, the process is gone this long after a stop was asked for (docs/reliability.md §6). */
  exitMs: number
}

/**
 * Runs a service as the process's only work: one ready line on stdout, an orderly end on SIGTERM and SIGINT (at once on
 * the second), one line on stderr and exit code 1 where it cannot start.
 */
export async function runProgram<S extends Service>(program: Program<S>): Promise<void> {
  try {
    const service = await program.open()
    await service.start()
    stopOnSignals(service, program.exitMs)
    // Only now: whoever reads it may stop the process at once.
    process.stdout.write(`${JSON.stringify({ ready: true, ...program.ready?.(service) })}\n`)
  } catch (error) {
    const msg = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${JSON.stringify({ level: 60, app: program.app, msg })}\n`)
    process.exit(1)
  }
}

function stopOnSignals(service: Service, exitMs: number): void {
  let stopping = false
  const stop = () => {
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => process.exit(1), exitMs).unref()
    service.destroy().then(
      (clean) => process.exit(clean === false ? 1 : 0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}
