import { type Consumer, consume, QUEUE_PLATFORMS } from '@fanfare/queue'
import type { WorkerContext } from '../context.ts'

/** One consumer per platform: a slow vendor holds up only its own queue. */
export function consumeDeliveries(ctx: WorkerContext, onStuck: (platform: string) => void): Consumer[] {
  const { redisUrl, concurrency, maxBulk, lockMs, stalledMs } = ctx.config
  const { channels } = ctx
  const appOf = (channelId: string) => {
    const channel = channels.get(channelId)
    return channel instanceof Promise ? channel.then((read) => read?.appId) : channel?.appId
  }
  const shared = { appOf, log: ctx.log, holder: ctx.holder, ...(ctx.share && { share: ctx.share }) }
  return QUEUE_PLATFORMS.map((platform) => {
    const options = { redisUrl, platform, concurrency, maxBulk, lockMs, stalledMs, ...shared }
    return consume({ ...options, onStuck: () => onStuck(platform) }, async (job, signal) => {
      const again = await ctx.deliverer.deliver(job, signal)
      if (again) ctx.counters.jobsAgain++
      else ctx.counters.jobsDone++
      return again
    })
  })
}
