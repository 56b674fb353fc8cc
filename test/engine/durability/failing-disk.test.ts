import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Problem } from '../../../daemon/documents/problem.js'
import type { Fault } from '../../support/disk/faults.js'
import type { OperationName } from '../../support/disk/operations.js'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import { NodeUnderTest } from '../../support/durability/node-under-test.js'
import { isYes } from '../../support/durability/workload.js'
import { until } from '../../support/until.js'

/**
 * Each change that the daemon makes to its files fails once, and what it wanted to do is then refused, or done all the same.
 * By default, of changes with the same name only the first and the last one: if LAW_RUNS is set, each.
 */

const NEED_SPACE: readonly OperationName[] = ['create', 'mkdir', 'write', 'fsync', 'rename']
const ANY: readonly OperationName[] = [...NEED_SPACE, 'truncate', 'attributes']
const EACH = process.env['LAW_RUNS'] !== undefined
const KINDS = {
  // Until somebody frees some.
  'no space': { fail: 'ENOSPC', lasting: NEED_SPACE },
  // Once: the next time, the same may work.
  'an error of the device': { fail: 'EIO' },
} as const

let disk: WatchedDisk
let node: NodeUnderTest

beforeAll(async () => {
  disk = await WatchedDisk.open()
  node = await NodeUnderTest.open(path.join(disk.path, 'state'))
  await node.workload.prepare()
})
afterAll(async () => {
  // If the node could not be opened, there is still the disk.
  await (node as NodeUnderTest | undefined)?.close()
  await disk.close()
})

/** Points at which an earlier operation has failed. */
const tested = new Set<string>()

/** The changes at which a fault is planted. What cannot be removed stays until the next start. */
async function faultsOf(operation: string, kind: keyof typeof KINDS): Promise<Fault[]> {
  disk.plan()
  expect(isYes(await node.do(operation))).toBe(true)
  const { points } = disk.report
  const names = kind === 'no space' ? NEED_SPACE : ANY
  return [...new Set(points.filter((point) => names.some((name) => point.startsWith(`${name} `))))].flatMap((point) => {
    const count = points.filter((one) => one === point).length
    const all = Array.from({ length: count }, (_, index) => index + 1)
    const isNew = !tested.has(`${kind} ${point}`)
    tested.add(`${kind} ${point}`)
    const chosen = EACH ? all : new Set(isNew ? [1, count] : [count])
    return [...chosen].map((nth) => ({ nth, point, then: KINDS[kind] }))
  })
}

/** Resolves when it has ended, or some time after the fault: a staging ends only when there is space again. */
async function endedOrStuck(asked: Promise<unknown>): Promise<void> {
  let hasEnded = false
  void asked.finally(() => (hasEnded = true))
  await until('the fault has happened', () => hasEnded || disk.report.happened !== undefined)
  await Promise.race([asked, delay(30)])
}

async function expectToWork(operation: string, after: string): Promise<void> {
  const answer = await node.do(operation)
  expect(isYes(answer), `${after}, and then: ${answer.body.toString()}`).toBe(true)
}

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('%s', (kind) => {
  it.each([
    'upload',
    'create a package',
    'change a package',
    'delete a package',
    'stage',
    'import',
    'back up',
    'collect garbage',
  ])(
    'while the daemon is to %s: it says so, and goes on',
    async (operation) => {
      for (const fault of await faultsOf(operation, kind)) {
        const what = `${kind} at ${fault.point} (${fault.nth})`
        disk.plan(fault)
        const asked = node.do(operation)
        if (operation === 'stage') await endedOrStuck(asked)
        else await asked
        disk.plan()
        const answer = await asked
        if (!isYes(answer)) {
          const { code, detail } = answer.document as Problem
          expect(['disk-full', 'disk-error'], `${what}: ${detail}`).toContain(code)
          expect(detail, what).toMatch(/^[A-Z][^.]*(\(\w+\))?[^.]*\.$/)
        }
        if (operation !== 'stage') await expectToWork(operation, what)
      }
      await expectToWork(operation, kind)
      await node.expectDurable(`${kind}, asked to ${operation}`)
    },
    EACH ? 1_800_000 : 120_000,
  )
})
