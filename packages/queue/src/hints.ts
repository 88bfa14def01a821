import { connect, disconnect } from '@fanfare/redis'

const TOPIC = 'fanfare:channel-changed'

/** Tells every process that a channel changed or went. Only a hint: who misses it sees `updatedAt` within 2 s. */
export type ChannelHints = {
  publish(channelId: string): Promise<void>
  subscribe(listener: (channelId: string) => void): Promise<void>
  close(): void
}

export function openChannelHints(redisUrl: string): ChannelHints {
  const publisher = connect(redisUrl, 'short')
  const subscriber = connect(redisUrl, 'endless')
  return {
    publish: async (channelId) => {
      await publisher.publish(TOPIC, channelId)
    },
    subscribe: async (listener) => {
      subscriber.on('message', (_topic: string, channelId: string) => listener(channelId))
      // Subscribing waits for Redis; whoever starts must not.
      void subscriber.subscribe(TOPIC).catch(() => undefined)
    },
    close: () => {
      disconnect(publisher)
      disconnect(subscriber)
    },
  }
}
