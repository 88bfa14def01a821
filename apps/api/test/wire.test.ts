import { PushError, SENTENCES } from '@fanfare/core'
import { describe, expect, it } from '@jest/globals'
import { sentenceOf, statusOf } from '../src/wire/errors.ts'
import { pushMessage, toMessage } from '../src/wire/message.ts'
import { idOfUuid, uuidOf } from '../src/wire/notifier.ts'
import { parse } from '../src/wire/parse.ts'
import { instantOf } from '../src/wire/start-date.ts'
import { descOf, syncItem } from '../src/wire/status.ts'
import { widthOf } from '../src/wire/text.ts'

const messageOf = (given: object, hanWidth: 1 | 2 = 2) =>
  toMessage(parse(pushMessage, { title: 't', content: 'c', ...given }), hanWidth)

describe('pushMessage', () => {
  it('takes subTitle before sub_title, null as absent, and leaves out what it does not know', () => {
    expect(messageOf({ sub_title: 'b', ext: null, config: null, xiaomi: null, vivo: {}, pushFunc: 'x' })).toEqual({
      title: 't',
      content: 'c',
      subTitle: 'b',
    })
    expect(messageOf({ subTitle: 'a', sub_title: 'b' }).subTitle).toBe('a')
  })

  it('takes agora and easemob as the online channel', () => {
    expect(messageOf({ agora: { title: 'x' } }).online).toEqual({ title: 'x' })
    expect(messageOf({ easemob: { title: 'y' } }).online).toEqual({ title: 'y' })
  })

  it('makes numbers of strings of digits where numbers are meant, and nowhere else', () => {
    const found = messageOf({
      config: { badge: { addNum: '1', setNum: 2 } },
      apns: { priority: '5', collapseId: '7', badge: 3 },
      fcm: { timeToLive: '3600' },
      xiaomi: { notifyType: '-1', payload: '12' },
      agora: { operation: { type: '2' }, expiresTime: '3600000' },
      huawei: { message: { android: { notification: { clickAction: { type: '3' } } } } },
    })
    expect(found).toMatchObject({
      config: { badge: { addNum: 1, setNum: 2 } },
      apns: { priority: 5, collapseId: '7', badge: 3 },
      fcm: { timeToLive: '3600' },
      xiaomi: { notifyType: -1, payload: '12' },
      online: { operation: { type: 2 }, expiresTime: 3_600_000 },
      huawei: { message: { android: { notification: { clickAction: { type: 3 } } } } },
    })
  })

  it('keeps line breaks, right-to-left text, joiners and emoji of a title as they are', () => {
    for (const title of ['a\r\nb', 'a\0b', 'שלום', '\u202eabc', '👨‍👩‍👧‍👦'])
      expect(messageOf({ title }).title).toBe(title)
  })

  it('counts code points, wide ones twice unless told otherwise', () => {
    expect(widthOf('订单', 2)).toBe(4)
    expect(widthOf('订单', 1)).toBe(2)
    expect(widthOf('😀é', 2)).toBe(2)
    expect(widthOf('，Ａカ한', 2)).toBe(8)
    expect(messageOf({ title: '订'.repeat(16) }).title).toHaveLength(16)
    expect(messageOf({ title: '订'.repeat(32) }, 1).title).toHaveLength(32)
    expect(messageOf({ title: '😀'.repeat(32) }).title).toHaveLength(64)
  })
})

describe('startDate in a zone (T77)', () => {
  it.each([
    ['2026-01-15 12:00:00', 'UTC', '2026-01-15T12:00:00Z'],
    ['2026-01-15 12:00:00', 'Asia/Shanghai', '2026-01-15T04:00:00Z'],
    ['2026-07-15 12:00:00', 'Europe/Berlin', '2026-07-15T10:00:00Z'],
    ['2026-01-15 12:00:00', 'Europe/Berlin', '2026-01-15T11:00:00Z'],
    ['2026-03-29 01:59:59', 'Europe/Berlin', '2026-03-29T00:59:59Z'],
    // 02:30 does not exist that night: read with the offset before the change.
    ['2026-03-29 02:30:00', 'Europe/Berlin', '2026-03-29T01:30:00Z'],
    ['2026-03-29 03:00:00', 'Europe/Berlin', '2026-03-29T01:00:00Z'],
    // 02:30 happens twice that night: the first.
    ['2026-10-25 02:30:00', 'Europe/Berlin', '2026-10-25T00:30:00Z'],
    ['2026-10-25 03:00:00', 'Europe/Berlin', '2026-10-25T02:00:00Z'],
    ['2026-11-01 01:30:00', 'America/New_York', '2026-11-01T05:30:00Z'],
    ['2026-01-15 12:00:00', 'Asia/Kathmandu', '2026-01-15T06:15:00Z'],
  ])('%s in %s is %s', (text, zone, expected) => {
    expect(instantOf(text, zone)).toEqual(new Date(expected))
  })

  it.each(['2026-02-29 00:00:00', '2026-13-01 00:00:00', '2026-01-01 24:00:00', '2026-01-01T00:00:00', ''])(
    'is not %j',
    (text) => expect(instantOf(text, 'UTC')).toBeUndefined(),
  )
})

it('a uuid tells the id again, up to the largest', () => {
  for (const id of ['1', '255', '65536', '4294967296', String(Number.MAX_SAFE_INTEGER)]) {
    expect(uuidOf(id)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(idOfUuid(uuidOf(id))).toBe(id)
  }
  expect(idOfUuid('10492024')).toBeUndefined()
})

describe('an error', () => {
  it('has the status and the sentence of its line in the table, filled from its details', () => {
    const error = new PushError('LABEL_UNKNOWN', { label: 'vip' })
    expect([statusOf(error), sentenceOf(error)]).toEqual([400, 'push label not exists of vip'])
  })
})

describe('a user that does not exist', () => {
  it.each([SENTENCES.noUser, 'appUser not exists'])('is called the same whichever version kept it: %s', (reason) => {
    expect(descOf('rejected', reason)).toBe('appUser not exists')
    expect(syncItem({ outcome: 'rejected', reason })).toEqual({ pushStatus: 'FAIL', desc: 'appUser not exists' })
  })
})
