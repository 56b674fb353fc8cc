import { getEventListeners } from 'node:events'
import Docker from 'dockerode'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Limits } from '../../../isolation/launch-plan.js'
import type { Ending } from '../../../isolation/isolation.js'
import { filesOf, launch, planOf, Recorder, type Launched } from '../../contract/isolation-under-test.js'
import { untilNothingMoreIsOpen } from '../../support/open-in-process.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { openThings } from '../support/open-things.js'
import { PrivateEngine } from '../support/private-engine.js'

const MIB = 2 ** 20
const STOP = new Error('called off')

let engine: PrivateEngine
let under: DockerIsolationUnderTest
let client: Docker
beforeAll(async () => {
  engine = await PrivateEngine.start()
  // The client that the daemon has, which keeps no connection for the next request.
  client = new Docker({ socketPath: engine.socket, headers: { Connection: 'close' } })
  under = await dockerIsolation(new Map(), { engine: client, addressPool: engine.addressPool })
  // Makes the layers and the image, and loads what is loaded on first use.
  await ended(await start('true', {}, new AbortController().signal))
})
afterAll(async () => {
  await under.close()
  await engine.close()
})

const start = async (shell: string, limits: Partial<Limits>, signal: AbortSignal, recorder = new Recorder()) =>
  await launch(under.isolation, planFor(shell, limits), recorder, signal)

const planFor = (shell: string, limits: Partial<Limits> = {}) => ({
  ...planOf(under, { shell, fake: () => Promise.resolve() }, limits),
  stagerfs: under.root,
})

async function ended({ running, release }: Launched): Promise<Ending> {
  const ending = await running.ended
  await release()
  return ending
}

/** Runs `work`, and expects that it leaves nothing open, here and in the Engine, and no listener on its signal. */
async function nothingMoreOpen(work: (signal: AbortSignal, stop: () => void) => Promise<void>) {
  const before = await openThings(client)
  const stop = new AbortController()
  await work(stop.signal, () => stop.abort(STOP))
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  await untilNothingMoreIsOpen(before, () => openThings(client))
}

it.each(['layers', 'image', 'network', 'firewall', 'create', 'stagerfs', 'start', 'mounts'])(
  'leaves nothing open when a launch is called off at its step "%s"',
  async (at) => {
    await nothingMoreOpen(async (signal, stop) => {
      const recorder = new Recorder()
      const step = recorder.step.bind(recorder)
      recorder.step = (name) => {
        step(name)
        if (name === at) stop()
      }
      const launched = start('sleep 60', {}, signal, recorder)
      await expect(launched).rejects.toBe(STOP)
      expect(recorder.steps).toContain(at)
    })
  },
)

it.each([
  ['ends by itself', 'echo done', {}, { kind: 'exited', exitCode: 0 }],
  ['fails', 'exit 3', {}, { kind: 'exited', exitCode: 3 }],
  ['cannot run', 'exec /none', {}, { kind: 'not-runnable' }],
  ['takes too long', 'sleep 60', { timeoutMs: 500 }, { kind: 'timeout' }],
  ['fills its disk', 'head -c 33554432 /dev/zero >/tmp/x; sleep 60', { diskBytes: 8 * MIB }, { kind: 'disk-full' }],
] as const)('leaves nothing open when a program %s', async (_, shell, limits, ending) => {
  await nothingMoreOpen(async (signal) => {
    expect(await ended(await start(shell, limits, signal))).toMatchObject(ending)
  })
})

it('leaves nothing open when a program is stopped, and when it is released while it runs', async () => {
  await nothingMoreOpen(async (signal) => {
    const launched = await start('sleep 60', {}, signal)
    launched.running.stop()
    expect(await ended(launched)).toEqual({ kind: 'stopped' })
    const { release } = await start('sleep 60', {}, signal)
    await release()
  })
})

it('leaves nothing open when a container cannot be started', async () => {
  await nothingMoreOpen(async (signal) => {
    const plan = { ...planFor('true'), user: 'nobody-has-this-name' }
    await expect(launch(under.isolation, plan, new Recorder(), signal)).rejects.toMatchObject({ code: 'unknown-user' })
  })
})

it('leaves nothing open after snapshots', async () => {
  await nothingMoreOpen(async (signal) => {
    const { running, release } = await start('sleep 60', {}, signal)
    await running.snapshot({}, filesOf)
    await expect(running.snapshot({}, () => Promise.reject(STOP))).rejects.toBe(STOP)
    await release()
  })
})

it('leaves nothing open when the Engine is killed', async () => {
  await nothingMoreOpen(async (signal) => {
    const { running, release } = await start('sleep 60', {}, signal)
    await engine.kill()
    expect(await running.ended).toMatchObject({ kind: 'engine-lost' })
    await release()
    await engine.restart()
    await under.isolation.sweep(new Set())
  })
})
