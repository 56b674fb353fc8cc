import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { filesOf, launch, planOf, Recorder } from '../../contract/isolation-under-test.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { PrivateEngine } from '../support/private-engine.js'

describe('a killed Engine', () => {
  let engine: PrivateEngine
  let under: DockerIsolationUnderTest
  beforeEach(async () => {
    engine = await PrivateEngine.start()
    under = await dockerIsolation(new Map(), engine)
  })
  afterEach(async () => {
    await under.close()
    await engine.close()
  })

  it('ends its launches with an error, and nothing is left after its restart and a sweep', async () => {
    const recorder = new Recorder()
    const plan = planOf(under, { shell: 'echo ready; sleep 60', fake: () => Promise.resolve() })
    const { running, release } = await launch(under.isolation, plan, recorder)
    await vi.waitFor(() => expect(recorder.stdout).toBe('ready\n'), 60_000)
    await engine.kill()
    expect(await running.ended).toMatchObject({ kind: 'engine-lost' })
    const { failures } = await release()
    expect(failures.map(({ what }) => what)).toContain('remove the container')
    // The container keeps running without the Engine. Its firewall rules and its files must stay.
    expect((await runProcess('iptables-save', ['-t', 'filter'])).stdout).toContain(`-d ${recorder.address}/32`)
    expect(await readFile('/proc/self/mountinfo', 'utf8')).toContain(`${under.stateDirectory}/launches/${plan.id}`)
    await expect(under.isolation.ping()).rejects.toMatchObject({ code: 'engine-down' })
    const again = launch(under.isolation, planOf(under, { shell: 'true', fake: () => Promise.resolve() }), recorder)
    await expect(again).rejects.toMatchObject({ code: 'engine-down' })
    await engine.restart()
    await under.isolation.sweep(new Set())
    expect(await under.traces()).toEqual([])
  })

  it('is why a launch ends whose use cannot be measured before its verdict, and whose snapshot fails', async () => {
    const recorder = new Recorder()
    // It writes and deletes all the time, so that it may be over its limit at any moment.
    const shell = 'while :; do head -c 4194304 /dev/zero >/tmp/x; rm /tmp/x; echo round; done'
    const plan = planOf(under, { shell, fake: () => Promise.resolve() }, { diskBytes: 8 * 2 ** 20 })
    const { running, release } = await launch(under.isolation, plan, recorder)
    await vi.waitFor(() => expect(recorder.stdout).toContain('round\n'), 60_000)
    await engine.kill()
    await expect(running.snapshot({}, filesOf)).rejects.toMatchObject({ code: 'engine-down' })
    await vi.waitFor(async () => expect(await running.causeSoFar()).toMatchObject({ kind: 'engine-lost' }), 60_000)
    expect(await running.ended).toMatchObject({ kind: 'engine-lost' })
    await release()
    await engine.restart()
    await under.isolation.sweep(new Set())
  })
})
