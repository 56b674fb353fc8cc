import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Coordinator } from '../../../daemon/coordinator/coordinator.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import type { LaunchPlan } from '../../../daemon/staging/plan.js'
import { PreparedLaunches, type PreparedOutcome } from '../../../daemon/staging/prepared-launches.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { NODE_LABEL } from '../../../isolation/host/ownership.js'
import type { Limits } from '../../../isolation/launch-plan.js'
import { planOf, Recorder } from '../../contract/isolation-under-test.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../../engine/support/docker-isolation.js'
import { tarOf } from '../../support/tar-builder.js'
import { until } from '../../support/until.js'

/** The first process of a container that was created ahead is the /bin/sh of the root: whoever made that has written it. */
const SHELL = '#!/bin/busybox sh\n'

/** What none of them must be taken for, each with what becomes of it. */
const USELESS: readonly [string, string, PreparedOutcome][] = [
  ['talks', 'echo early; read line', 'lost'],
  ['floods its output', 'while :; do echo early >&2; done', 'lost'],
  ['exits', 'read -t 2 line; exit 0', 'lost'],
  ['has other processes', 'sleep 1000 & sleep 1000 & read line', 'too-large'],
  ['keeps a processor busy', 'while :; do :; done', 'too-large'],
  ['fills the disk', 'fallocate -l 100000000 /tmp/large; read line', 'too-large'],
  ['fills the memory', 'head -c 50000000 /dev/zero | tail -c 50000000 | { read line; }', 'too-large'],
]

describe('a hostile shell that waits for a launch', () => {
  let under: DockerIsolationUnderTest
  let prepared: PreparedLaunches
  const logger = pino({ level: 'silent' })
  const coordinator = new Coordinator({ logger })
  beforeAll(async () => {
    under = await dockerIsolation()
  })
  beforeEach(() => {
    prepared = new PreparedLaunches({
      ...{ isolation: under.isolation, coordinator, live: new LiveContainers(), logger },
      janitor: { trySweep: () => Promise.resolve() },
      ...{ limit: 1, forMs: 60_000 },
    })
  })
  afterEach(async () => {
    await prepared.stop()
    await under.expectNothingLeft()
  })
  afterAll(() => under.close())

  const planWith = (script: string, limits: Partial<Limits> = {}): Pick<LaunchPlan, 'prepare' | 'start'> => {
    const shell = under.resources.add('shell', tarOf({ name: 'bin/sh', data: SHELL + script, mode: 0o755 }))
    const program = { shell: 'cat /tmp/seen; echo ---; echo program', fake: () => Promise.resolve() }
    const plan = planOf(under, program, { diskBytes: 16 * 2 ** 20, ...limits })
    return { prepare: { ...plan, root: [...under.root, shell] }, start: { ...plan, stagerfs: [] } }
  }
  /** Starts it as a launch does. */
  const startTaken = async (plan: Pick<LaunchPlan, 'prepare' | 'start'>, recorder: Recorder) => {
    const taken = await prepared.take(plan)
    if (!taken) throw new Error('there is none that waits')
    const { container, port } = taken
    const { start } = plan
    const environment = { STAGER_URL: `http://${container.address}:${port.port}/${randomUUID()}` }
    const running = await container.start(
      { ...start, environment, coordinatorPort: port.port },
      recorder,
      new AbortController().signal,
    )
    const release = async () => {
      expect(await container.release()).toEqual({ failures: [] })
      await port.close()
    }
    return { running, release }
  }

  const pidOfWaiting = async () => {
    const engine = connectEngine()
    const [found] = await engine.listContainers({ filters: { label: [`${NODE_LABEL}=${under.nodeId}`] } })
    return (await engine.getContainer(found?.Id ?? '').inspect()).State.Pid
  }

  it.each(USELESS)('is thrown away if it %s', async (_, script, outcome) => {
    const plan = planWith(script)
    await prepared.prepare(plan)
    await until('it is thrown away', () => prepared.outcomes(outcome) === 1)
    expect(await prepared.take(plan)).toBeUndefined()
  })

  it('sees nothing of the launch before that begins', async () => {
    // The shell runs once more for the program.
    const seen = `[ -e /tmp/over ] || { env; ls -A /stagerfs /stager-cache; ls -A /stager-secrets /run/secrets; ls /proc/self/fd; } >/tmp/seen 2>/dev/null
: >/tmp/over
exec /bin/busybox sh "$@"`
    const plan = planWith(seen)
    await prepared.prepare(plan)
    await until('it has looked', async () => existsSync(`/proc/${await pidOfWaiting()}/root/tmp/over`))
    const recorder = new Recorder()
    const { running, release } = await startTaken(plan, recorder)
    expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
    await release()
    const [before = '', after] = recorder.stdout.split('---')
    expect(after).toContain('program')
    expect(before).not.toContain('STAGER_')
    expect(before).not.toMatch(/\b(?:dev|proc)\b/)
    // With that of `ls` itself, but without any of the daemon's.
    expect(before.split('\n').filter((line) => /^\d+$/.test(line))).toEqual(['0', '1', '2', '3'])
  })

  it('that never reads is ended when the time of its stager is over', async () => {
    const plan = planWith('exec /bin/busybox sleep 1000', { timeoutMs: 1_500 })
    await prepared.prepare(plan)
    const recorder = new Recorder()
    const { running, release } = await startTaken(plan, recorder)
    expect(await running.ended).toEqual({ kind: 'timeout', afterMs: 1_500 })
    await release()
    expect(recorder.stdout).toBe('')
  })
})
