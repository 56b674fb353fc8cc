import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StagerdError } from '../../../base/errors.js'
import type { Problem } from '../../../daemon/documents/problem.js'
import type { Fault } from '../../support/disk/faults.js'
import type { OperationName } from '../../support/disk/operations.js'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import { makeGarbage } from '../../support/durability/garbage.js'
import { NodeUnderTest } from '../../support/durability/node-under-test.js'
import { isYes } from '../../support/durability/workload.js'
import { until } from '../../support/until.js'

/**
 * Each change that the daemon makes to its files fails once, and what it wanted to do is then refused, or done all the same.
 * By default, of changes with the same name only the first and the last one, and of those of a restore or a start a sixth, another
 * one for each kind of fault and every day: if LAW_RUNS is set, each.
 */

const NEED_SPACE: readonly OperationName[] = ['create', 'mkdir', 'write', 'fsync', 'rename']
const REMOVE: readonly OperationName[] = ['unlink', 'rmdir']
const ANY: readonly OperationName[] = [...NEED_SPACE, 'truncate', 'attributes', ...REMOVE]
const EACH = process.env['LAW_RUNS'] !== undefined
const DAY = Math.floor(Date.now() / 86_400_000)

interface Kind {
  /** Where it begins. */
  readonly at: readonly OperationName[]
  /** Which of the operations have such changes. Default: all. */
  readonly asked?: readonly string[]
  readonly then: Extract<Fault['then'], { fail: string }>
  /** What cannot be removed is there until the next start. */
  readonly leaves?: true
}
const KINDS: Readonly<Record<string, Kind>> = {
  // Until somebody frees some.
  'no space': { at: NEED_SPACE, then: { fail: 'ENOSPC', lasting: NEED_SPACE } },
  // Once: the next time, the same may work.
  'an error of the device': { at: ANY, then: { fail: 'EIO' } },
  'a device that removes nothing': {
    at: REMOVE,
    asked: ['stage', 'import', 'back up', 'collect garbage'],
    then: { fail: 'EIO', lasting: REMOVE },
    leaves: true,
  },
}
const ASKED = [
  'upload',
  'create a package',
  'change a package',
  'delete a package',
  'stage',
  'import',
  'back up',
  'collect garbage',
]

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

/** The changes at which a fault is planted. @param atFirst whether also at the first of a name, and not only at the last */
async function faultsOf(kind: string, work: () => Promise<unknown>, atFirst = true): Promise<Fault[]> {
  const { at, then } = KINDS[kind]!
  disk.plan()
  await work()
  const { points } = disk.report
  return [...new Set(points.filter((point) => at.some((name) => point.startsWith(`${name} `))))].flatMap((point) => {
    const count = points.filter((one) => one === point).length
    const all = Array.from({ length: count }, (_, index) => index + 1)
    const isNew = !tested.has(`${kind} ${point}`)
    tested.add(`${kind} ${point}`)
    const chosen = EACH ? all : new Set(isNew && atFirst ? [1, count] : [count])
    return [...chosen].map((nth) => ({ nth, point, then }))
  })
}

async function expectCollected(garbage: readonly string[], what: string): Promise<void> {
  const found = await readdir(node.stateDir, { recursive: true })
  expect(
    garbage.filter((file) => found.includes(file)),
    what,
  ).toEqual([])
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

describe.each(Object.keys(KINDS))('%s', (kind) => {
  /** Each takes two starts of a node. */
  const someOf = (faults: readonly Fault[]) => {
    const turn = (DAY + 2 * Object.keys(KINDS).indexOf(kind)) % Math.min(6, faults.length)
    return EACH ? faults : faults.filter((_, index) => index % 6 === turn)
  }

  it.each(KINDS[kind]?.asked ?? ASKED)(
    'while the daemon is to %s: it says so, and goes on',
    async (operation) => {
      if (operation === 'collect garbage') await makeGarbage(node.stateDir)
      const faults = await faultsOf(kind, async () => expect(isYes(await node.do(operation))).toBe(true))
      expect(faults).not.toEqual([])
      for (const fault of faults) {
        const what = `${kind} at ${fault.point} (${fault.nth})`
        const garbage = operation === 'collect garbage' ? await makeGarbage(node.stateDir) : []
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
        await expectCollected(garbage, what)
      }
      await expectToWork(operation, kind)
      if (KINDS[kind]?.leaves) await node.restart()
      await node.expectDurable(`${kind}, asked to ${operation}`)
    },
    EACH ? 1_800_000 : 120_000,
  )

  it(
    'while the back-up of another node is restored: the node has all of it, or nothing',
    async () => {
      const { body: backup } = await node.client.call('POST', '/v1/node/backup')
      const stateDir = path.join(disk.path, 'restored')
      const restore = ({ client }: NodeUnderTest) => client.call('POST', '/v1/node/restore?replace=true', backup)
      const onAnEmptyNode = async (work: (empty: NodeUnderTest) => Promise<void>) => {
        await rm(stateDir, { recursive: true, force: true })
        const empty = await NodeUnderTest.open(stateDir)
        try {
          await work(empty)
        } finally {
          await empty.close()
        }
      }
      let faults: Fault[] = []
      await onAnEmptyNode(async (empty) => {
        faults = await faultsOf(kind, async () => expect(isYes(await restore(empty))).toBe(true), false)
      })
      expect(faults).not.toEqual([])
      for (const fault of someOf(faults))
        await onAnEmptyNode(async (empty) => {
          const what = `${kind} at ${fault.point} (${fault.nth})`
          disk.plan(fault)
          const answer = await restore(empty)
          disk.plan()
          if (!isYes(answer)) {
            const { code, detail } = answer.document as Problem
            expect(['disk-full', 'disk-error'], `${what}: ${detail}`).toContain(code)
          }
          if (KINDS[kind]?.leaves) await empty.restart()
          const { document } = await empty.client.call('GET', '/v1/packages')
          const hasAll = isYes(answer) || (document as readonly unknown[]).length > 0
          await empty.expectDurable(what, hasAll ? node.acknowledged : [])
        })
    },
    EACH ? 1_800_000 : 120_000,
  )

  it('while the daemon starts on an empty directory: it says so, and the next start completes it', async () => {
    const stateDir = path.join(disk.path, 'begun')
    await rm(stateDir, { recursive: true, force: true })
    const faults = await faultsOf(kind, async () => await (await NodeUnderTest.open(stateDir)).close(), false)
    expect(faults).not.toEqual([])
    for (const fault of someOf(faults)) {
      const what = `${kind} at ${fault.point} (${fault.nth})`
      await rm(stateDir, { recursive: true, force: true })
      disk.plan(fault)
      const begun = await NodeUnderTest.open(stateDir).catch((error: unknown) => error)
      disk.plan()
      if (begun instanceof NodeUnderTest) await begun.close()
      else {
        expect(begun, what).toBeInstanceOf(StagerdError)
        const { code, message } = begun as StagerdError
        expect(['disk-full', 'disk-error', 'bad-state-dir'], `${what}: ${message}`).toContain(code)
      }
      const next = await NodeUnderTest.open(stateDir)
      try {
        await next.expectDurable(what)
      } finally {
        await next.close()
      }
    }
  })
})
