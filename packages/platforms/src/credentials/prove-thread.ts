import { parentPort } from 'node:worker_threads'
import { ChannelError } from '@fanfare/core'
import type { Locked } from './locked.ts'
import { prove, type Subject } from './proof.ts'
import { unlocked } from './unlock.ts'

export type Question = { subject: Subject; credential: string; rounds: number }
/** `refused`: the sentence for whoever uploaded it. */
export type Answer = { kept: string } | { refused: string } | { failed: string }

async function answerTo({ subject, credential, rounds }: Question): Promise<Answer> {
  try {
    return { kept: await prove(subject, credential, (locked: Locked) => unlocked(locked, rounds)) }
  } catch (error) {
    return error instanceof ChannelError ? { refused: error.reason } : { failed: String(error) }
  }
}

parentPort?.on('message', (question: Question) => {
  void answerTo(question).then((answer) => parentPort?.postMessage(answer))
})
parentPort?.postMessage('ready')
