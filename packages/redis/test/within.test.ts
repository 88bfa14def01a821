import { expect, it } from '@jest/globals'
import { within } from '../src/index.ts'

const never = new Promise<string>(() => undefined)
const late = () => {
  throw new Error('late')
}

it('answers what the work answers, and its error', async () => {
  expect(await within(1000, Promise.resolve('in time'), late)).toBe('in time')
  await expect(within(1000, Promise.reject(new Error('own')), late)).rejects.toThrow('own')
})

it('answers or throws what is said for the late', async () => {
  expect(await within(5, never, () => false)).toBe(false)
  await expect(within(5, never, late)).rejects.toThrow('late')
})

it('lets a later error of the work be nobody’s', async () => {
  const failing = new Promise<string>((_, reject) => setTimeout(reject, 20, new Error('too late')))
  expect(await within(5, failing, () => 'given up')).toBe('given up')
  await failing.catch(() => undefined)
})
