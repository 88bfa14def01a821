import { afterAll, beforeAll, describe } from '@jest/globals'
import { Make } from './make.ts'
import { appCases } from './store-contract/apps-contract.ts'
import { claimCases } from './store-contract/claims-contract.ts'
import { devicePageCases } from './store-contract/device-pages-contract.ts'
import { deviceCases } from './store-contract/devices-contract.ts'
import { fleetCases } from './store-contract/fleet-contract.ts'
import { idempotencyCases } from './store-contract/idempotency-contract.ts'
import { labelCases } from './store-contract/labels-contract.ts'
import { parkingCases } from './store-contract/parking-contract.ts'
import { planCases } from './store-contract/plan-contract.ts'
import { rescueCases } from './store-contract/rescue-contract.ts'
import { stateCases } from './store-contract/states-contract.ts'
import type { OpenedStore, Subject } from './store-contract/subject.ts'
import { sweepCases } from './store-contract/sweep-contract.ts'
import { taskLifeCases } from './store-contract/task-life-contract.ts'
import { taskCases } from './store-contract/tasks-contract.ts'
import { writeCases } from './store-contract/writes-contract.ts'

export type { OpenedStore } from './store-contract/subject.ts'

/**
 * What every store must do, as tests of Jest. `open` makes an empty store; all cases share it, each with its own app,
 * so that they also show what the tables look like when they are not empty. `shared: false` says that no other process
 * can open the store.
 */
export function storeContract(name: string, open: () => Promise<OpenedStore>, { shared = true } = {}): void {
  describe(name, () => {
    let subject: Subject
    beforeAll(async () => {
      const opened = await open()
      subject = { ...opened, make: new Make(opened.store) }
    }, 60_000)
    afterAll(() => subject?.close())
    const get = (): Subject => subject
    describe('apps and channels', () => appCases(get))
    describe('devices', () => deviceCases(get))
    describe('pages of devices', () => devicePageCases(get))
    describe('labels', () => labelCases(get))
    describe('tasks', () => taskCases(get))
    describe('the life of a task', () => taskLifeCases(get))
    describe('idempotency keys', () => idempotencyCases(get))
    describe('claims', () => claimCases(get))
    describe('writes', () => writeCases(get))
    describe('rescue', () => rescueCases(get))
    describe('sweeping', () => sweepCases(get))
    describe('plans', () => planCases(get))
    describe('parking', () => parkingCases(get))
    describe('the states of a chunk', () => stateCases(get))
    if (shared) describe('several processes', () => fleetCases(get))
  })
}
