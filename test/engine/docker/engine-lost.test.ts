import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { launch, planOf, Recorder } from '../../contract/isolation.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { PrivateEngine } from '../support/private-engine.js'

describe('an Engine that is killed', () => {
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

  it('loses what runs, says so, and leaves nothing once it is back and swept', async () => {
    const recorder = new Recorder()
    const plan = planOf(under, { shell: 'echo ready; sleep 60', fake: () => Promise.resolve() })
    const { running, release } = await launch(under.isolation, plan, recorder)
    await vi.waitFor(() => expect(recorder.stdout).toBe('ready\n'), 60_000)
    await engine.kill()
    expect(await running.ended).toMatchObject({ kind: 'engine-lost' })
    const { failures } = await release()
    expect(failures.map(({ what }) => what)).toContain('remove the container')
    // The container runs on without its Engine: it must not find the host's doors open, nor its files taken away.
    expect((await runProcess('iptables-save', ['-t', 'filter'])).stdout).toContain(plan.id)
    expect(await readFile('/proc/self/mountinfo', 'utf8')).toContain(`${under.stateDirectory}/launches/${plan.id}`)
    await expect(under.isolation.ping()).rejects.toMatchObject({ code: 'engine-down' })
    const again = launch(under.isolation, planOf(under, { shell: 'true', fake: () => Promise.resolve() }), recorder)
    await expect(again).rejects.toMatchObject({ code: 'engine-down' })
    await engine.restart()
    await under.isolation.sweep(new Set())
    // Longer than from one look at the firewall to the next: nobody sets the rules again.
    await delay(2_000)
    expect(await under.traces()).toEqual([])
  })
})
