import { expect, it } from '@jest/globals'
import { oneOf, optionalText, port, readBy, readSettings, text, wholeNumber } from '../src/settings.ts'

const SETTINGS = {
  host: ['HOST', text('127.0.0.1')],
  port: ['PORT', port(8099)],
  mode: ['MODE', oneOf(['full', 'normal'], 'full')],
  name: ['NAME', optionalText()],
  most: ['MOST', wholeNumber({ least: 2, most: 9, otherwise: 5 })],
  list: ['LIST', readBy((value = '') => listOf(value))],
} as const

function listOf(value: string): string[] {
  if (value.includes(';')) throw new Error(`must be separated by commas, it is ${value}`)
  return value.split(',')
}

it('answers what is set, the defaults of what is not or is empty, and leaves out what has none', () => {
  expect(readSettings(SETTINGS, { PORT: '0', MODE: 'normal', NAME: '', LIST: 'a,b' })).toEqual({
    ...{ host: '127.0.0.1', port: 0, mode: 'normal', most: 5 },
    list: ['a', 'b'],
  })
  expect(readSettings(SETTINGS, { NAME: 'x' }).name).toBe('x')
})

it.each([
  [{ PORT: '8o99' }, 'PORT must be a whole number from 0 to 65535, it is 8o99'],
  [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535, it is 65536'],
  [{ MOST: '1' }, 'MOST must be a whole number from 2 to 9, it is 1'],
  [{ MODE: 'off' }, 'MODE must be one of full, normal, it is off'],
  [{ LIST: 'a;b' }, 'LIST must be separated by commas, it is a;b'],
])('says in one sentence that begins with the variable what is wrong with %j', (env, sentence) => {
  expect(() => readSettings(SETTINGS, env)).toThrow(
    expect.objectContaining({ name: 'SettingError', message: sentence }),
  )
})
