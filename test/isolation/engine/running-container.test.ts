import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CleanupStack } from '../../../base/cleanup-stack.js'
import { Unavailable } from '../../../base/errors.js'
import { EngineRefusal } from '../../../isolation/engine/engine-errors.js'
import { Freezer } from '../../../isolation/engine/freezer.js'
import type { LimitProbe } from '../../../isolation/engine/limit-watch.js'
import { RunningContainer } from '../../../isolation/engine/running-container.js'
import type { RunningParts } from '../../../isolation/engine/running-parts.js'
import type { ForcedEnding } from '../../../isolation/isolation.js'
import { until } from '../../support/until.js'

const DOWN = new Unavailable('engine-down', 'The Docker Engine did not signal a container within 60 s.')
const FAILING = new EngineRefusal(500, 'transport is closing', 'The Docker Engine refused: transport is closing.')
const never = new Promise<never>(() => undefined)

const QUIET: LimitProbe = {
  counts: () => ({ forksRefused: 0, oomKills: 0 }),
  wasOutOfMemory: () => Promise.resolve(false),
  eventFiles: [],
  filesystemUseBefore: 0,
  filesystemUse: () => Promise.resolve(0),
  ownUse: () => Promise.resolve(0),
}

/** A container on an Engine that hangs: it keeps its connections open, and answers nothing. */
function onHangingEngine({
  timeoutMs = Infinity,
  probe = {},
  exitCode,
  ...parts
}: { timeoutMs?: number; probe?: Partial<LimitProbe>; exitCode?: Promise<number> } & Omit<
  Partial<RunningParts>,
  'probe'
> = {}) {
  const attached = new PassThrough()
  const lost = new AbortController()
  const endings: ForcedEnding[] = []
  const signals: string[] = []
  const container = {
    wait: () => exitCode ?? never,
    exitCode: () => Promise.reject(DOWN),
    wasOutOfMemory: () => Promise.reject(DOWN),
    signal: (name: string) => {
      signals.push(name)
      return Promise.reject(DOWN)
    },
  }
  const running = new RunningContainer({
    container: container as unknown as RunningParts['container'],
    init: { hasEnded: () => false },
    attached,
    limits: { memoryBytes: 1, cpus: 1, pids: 10, diskBytes: 1000, timeoutMs },
    workingDirectory: '/app',
    hooks: { output: () => Promise.resolve(), ending: (cause) => void endings.push(cause) },
    publishedPorts: [],
    lost: lost.signal,
    // The question is answered by the next Engine.
    confirm: () => {
      lost.abort(DOWN)
      return Promise.resolve()
    },
    probe: { ...QUIET, ...probe },
    freezer: new Freezer(
      () => Promise.reject(DOWN),
      () => Promise.resolve(),
    ),
    root: { upper: '/nowhere', lowers: [] },
    obstacle: undefined,
    owners: undefined,
    snapshotting: {
      compressor: () => Promise.resolve({ name: 'zlib', level: 1, filter: undefined, compress: (input) => input }),
      givenFiles: new Map(),
    },
    graceMs: 10,
    retryMs: 0,
    ...parts,
  })
  let released: ReturnType<typeof running.release> | undefined
  const release = (undo = new CleanupStack()) => (released ??= running.release(undo))
  onTestFinished(async () => void (await release()))
  return { running, endings, signals, attached, release }
}

describe('a container whose Engine hangs', () => {
  it('ends with its timeout, although no signal reaches it', async () => {
    const { running, endings, signals } = onHangingEngine({ timeoutMs: 1 })
    expect(await running.ended).toEqual({ kind: 'timeout', afterMs: 1 })
    expect(endings).toEqual([{ kind: 'timeout', afterMs: 1 }])
    expect(signals).toEqual(['SIGTERM', 'SIGKILL'])
  })

  it('ends when it is stopped', async () => {
    const { running } = onHangingEngine()
    running.stop()
    expect(await running.ended).toEqual({ kind: 'stopped' })
    await running.printed
  })

  it('has not finished before it has been removed, although it counts as ended', async () => {
    let looks = 0
    const { running, release } = onHangingEngine({ init: { hasEnded: () => (looks += 1) === 0 } })
    let hasFinished = false
    const finished = running.finished().then(() => (hasFinished = true))
    running.stop()
    await running.ended
    const before = looks
    await until('its processes are looked for again', () => looks > before + 1)
    expect(hasFinished).toBe(false)
    await release()
    await finished
  })

  it('has finished when its processes have ended, although it could not be removed', async () => {
    let isOver = false
    const { running, release } = onHangingEngine({ init: { hasEnded: () => isOver } })
    const finished = running.finished()
    const undo = new CleanupStack()
    undo.defer('remove the container', () => Promise.reject(DOWN))
    expect(await release(undo)).toHaveLength(1)
    isOver = true
    await finished
  })

  describe.each([
    ['does not answer', DOWN],
    ['fails', FAILING],
  ])('and %s', (_, error) => {
    const freezer = () =>
      new Freezer(
        () => Promise.reject(error),
        () => Promise.resolve(),
      )

    it('is lost by a snapshot that cannot freeze it, before the snapshot is refused', async () => {
      const { running, endings } = onHangingEngine({ freezer: freezer() })
      await expect(running.snapshot({}, (archive) => once(archive.resume(), 'end'))).rejects.toBe(error)
      expect(endings).toEqual([{ kind: 'engine-lost', error }])
      expect(await running.causeSoFar()).toEqual({ kind: 'engine-lost', error })
      expect(await running.ended).toEqual({ kind: 'engine-lost', error })
    })

    it('is lost where its disk use cannot be measured when its verdict comes', async () => {
      const { running } = onHangingEngine({
        freezer: freezer(),
        probe: { filesystemUse: () => Promise.resolve(5000), ownUse: () => Promise.reject(error) },
      })
      expect(await running.causeSoFar()).toEqual({ kind: 'engine-lost', error })
      expect(await running.ended).toEqual({ kind: 'engine-lost', error })
    })
  })
})

describe('a container whose Engine is restarted', () => {
  it.each([137, 143])('is lost, although the next Engine tells of its exit code %i', async (exitCode) => {
    const { running, attached } = onHangingEngine({ exitCode: Promise.resolve(exitCode) })
    attached.end()
    expect(await running.ended).toEqual({ kind: 'engine-lost', error: DOWN })
  })

  it('has exited if it did so by itself before', async () => {
    const { running, attached } = onHangingEngine({ exitCode: Promise.resolve(0) })
    attached.end()
    expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
  })
})

it('a container has finished when its processes have ended, and printed when its output has', async () => {
  const { running, attached } = onHangingEngine({ init: { hasEnded: () => true } })
  let hasPrinted = false
  const printed = running.printed.then(() => (hasPrinted = true))
  await running.finished()
  expect(hasPrinted).toBe(false)
  attached.end()
  await printed
})

describe('a container whose processes have ended without being noticed', () => {
  it('is lost, although its output stays open and the Engine never tells of its end', async () => {
    const { running } = onHangingEngine({
      init: { hasEnded: () => true },
      container: {
        wait: () => never,
        exitCode: () => Promise.resolve(undefined),
      } as unknown as RunningParts['container'],
      noticeMs: 1,
    })
    expect(await running.ended).toMatchObject({ kind: 'engine-lost', error: { code: 'engine-down' } })
  })
})
