import { type Job, type JobJson, Worker } from 'bullmq'

/**
 * Begins each job as soon as it is fetched. BullMQ's own worker fetches one job after the other, a round trip each, and
 * begins them only when it finds no further one or holds as many as it may: where the event loop is busy and jobs keep
 * coming, a job that is fetched waits for hundreds of others to be fetched too.
 */
export class PromptWorker<Data> extends Worker<Data> {
  /** Fetched and not begun. */
  #fetched = 0
  #most: number | undefined

  /** However a job was fetched: the loop that fetches leaves off where it holds as many as it may, and begins what it has. */
  protected override async nextJobFromJobData(data?: JobJson, id?: string, token?: string): Promise<Job<Data>> {
    const job: Job<Data> | undefined = await super.nextJobFromJobData(data, id, token)
    if (!job) return job
    this.#holds(1)
    return job
  }

  /** One that ends makes room for the next one, however many are held. */
  override processJob(job: Job<Data>, token: string): ReturnType<Worker<Data>['processJob']> {
    this.#holds(-1)
    return super.processJob(job, token, () => true)
  }

  #holds(more: 1 | -1): void {
    this.#most ??= this.concurrency
    this.#fetched += more
    this.concurrency = this.#fetched > 0 ? 1 : this.#most
  }
}
