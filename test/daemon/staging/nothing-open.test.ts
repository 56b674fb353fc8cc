import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Fault, Unavailable } from '../../../base/errors.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { openInProcess, untilNothingMoreIsOpen, watchListeners } from '../../support/open-in-process.js'
import { call, LAUNCH_BYTES, StagingHarness } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { done, setEnvironment, upload } from './stager-requests.js'

let harness: StagingHarness
beforeEach(async () => {
  // What waits for another launch stays open.
  harness = await StagingHarness.open(2, 0)
  await harness.addPackage('app', { state: 'uploaded' })
  harness.start()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await harness.close()
})

const endless = ({ signal }: FakeContext) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

const cancel = async () =>
  void (await harness.service.cancel((await harness.parts.ledger.list({ state: 'running' }))[0]!.uuid))

const failsOnce = (at: 'prepare' | 'ping', error: Error) =>
  void vi.spyOn(harness.isolation, at).mockRejectedValueOnce(error)

/** Cancels the staging when the container has been prepared, and before it is started. */
function cancelWhenPrepared() {
  const prepare = harness.isolation.prepare.bind(harness.isolation)
  vi.spyOn(harness.isolation, 'prepare').mockImplementationOnce(async (...plan) => {
    const prepared = await prepare(...plan)
    await cancel()
    return prepared
  })
}

/** Cancels the staging when the container has been started, and before that is recorded. */
function cancelWhenStarted() {
  const prepare = harness.isolation.prepare.bind(harness.isolation)
  vi.spyOn(harness.isolation, 'prepare').mockImplementationOnce(async (...plan) => {
    const prepared = await prepare(...plan)
    const start = async (...request: Parameters<typeof prepared.start>) => {
      const running = await prepared.start(...request)
      await cancel()
      return running
    }
    return { ...prepared, start }
  })
}

/** The container cannot be started, whatever is tried. */
function refuseStart() {
  const prepare = harness.isolation.prepare.bind(harness.isolation)
  vi.spyOn(harness.isolation, 'prepare').mockImplementation(async (...plan) => {
    const prepared = await prepare(...plan)
    return { ...prepared, start: () => Promise.reject(new Fault('no-mount', 'The overlay cannot be mounted.')) }
  })
}

let lost = false

const fills = (work: (context: FakeContext) => void) => async (context: FakeContext) => {
  work(context)
  await endless(context)
}

const LIMITS = { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 100, timeoutMs: 1_000 }

interface Way {
  readonly how: string
  readonly stager: (context: FakeContext) => Promise<void>
  readonly before?: () => void
  readonly ending: object
}

const failed = (cause: string) => ({ state: 'failed', failure: { cause } })
const succeeded = { state: 'succeeded' }
const cancelled = { state: 'cancelled' }

const WAYS: readonly Way[] = [
  { how: 'with done', stager: done, ending: succeeded },
  {
    how: 'with failed',
    stager: ({ url }) => call(url, 'POST /failed').then(() => undefined),
    ending: failed('stager-failed'),
  },
  { how: 'without a verdict', stager: () => Promise.resolve(), ending: failed('no-verdict') },
  {
    how: 'with relaunches',
    stager: async (context) => {
      const again = context.plan.environment['AGAIN']
      await setEnvironment(context.url, 'AGAIN', 'yes')
      await call(context.url, again === undefined ? 'POST /relaunch' : 'POST /done')
    },
    ending: succeeded,
  },
  { how: 'by its timeout', stager: endless, ending: failed('timeout') },
  {
    how: 'by its disk limit',
    stager: async (context) => {
      context.writeFile('/x', 'x'.repeat(LIMITS.diskBytes + 1))
      await endless(context)
    },
    ending: failed('disk-full'),
  },
  {
    how: 'by the limit of its data',
    stager: async (context) => {
      await upload(context.url, 'x'.repeat(LAUNCH_BYTES + 1)).catch(() => undefined)
      await endless(context)
    },
    ending: failed('data-limit'),
  },
  {
    how: 'by its memory limit',
    stager: fills(({ allocate }) => allocate(LIMITS.memoryBytes + 1)),
    ending: failed('out-of-memory'),
  },
  {
    how: 'by its limit of processes',
    stager: fills(({ fork }) => fork(LIMITS.pids + 1)),
    ending: failed('pids-limit'),
  },
  { how: 'with an exit code', stager: fills(({ exit }) => exit(3)), ending: failed('no-verdict') },
  { how: 'because it cannot be started', stager: done, before: refuseStart, ending: failed('infrastructure') },
  {
    how: 'with an upload that is cut short',
    stager: async ({ url }) => {
      const { hostname, port, pathname } = new URL(url)
      const socket = connect(Number(port), hostname)
      socket.write(`POST ${pathname}/data HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf`)
      await once(socket, 'connect')
      socket.destroy()
      await call(url, 'POST /failed')
    },
    ending: failed('stager-failed'),
  },
  {
    how: 'with a download that nobody reads',
    stager: async ({ url }) => {
      const { hostname, port, pathname } = new URL(url)
      const socket = connect(Number(port), hostname)
      socket.write(`GET ${pathname}/data HTTP/1.1\r\nhost: x\r\n\r\n`)
      await once(socket, 'readable')
      await call(url, 'POST /done')
      socket.destroy()
    },
    ending: succeeded,
  },
  {
    how: 'with an Engine that is lost while it runs',
    stager: async (context) => {
      if (harness.isolation.down === undefined && !lost) {
        lost = true
        harness.isolation.loseEngine(new Unavailable('engine-down', 'The Docker Engine does not answer.'))
        harness.isolation.down = undefined
        await endless(context)
      } else await done(context)
    },
    before: () => (lost = false),
    ending: succeeded,
  },
  { how: 'cancelled when it is prepared', stager: done, before: cancelWhenPrepared, ending: cancelled },
  { how: 'cancelled when it is started', stager: endless, before: cancelWhenStarted, ending: cancelled },
  {
    how: 'cancelled while it runs',
    stager: async (context) => {
      await cancel()
      await endless(context)
    },
    ending: cancelled,
  },
  {
    how: 'with a lost Engine first',
    stager: done,
    before: () => failsOnce('prepare', new Unavailable('engine-down', 'The Docker Engine does not answer.')),
    ending: succeeded,
  },
]

it.each(WAYS)(
  'a staging that ends $how leaves no socket, descriptor, timer or listener',
  async ({ stager, before, ending }) => {
    await harness.addPipeline('pipe', { stager }, { limits: LIMITS })
    await harness.addPipeline('first', { first: done })
    await harness.addPackage('other', { state: 'uploaded' })
    // What is opened on first use stays.
    const listeners = watchListeners()
    await harness.ended((await harness.submit('other', 'first')).uuid)
    await until('it is released', () => harness.isolation.left.size === 0)
    const look = async () => ({ ...(await openInProcess()), listeners: listeners() })
    const open = await look()
    before?.()
    const { uuid } = await harness.submit('app', 'pipe')
    expect(await harness.ended(uuid)).toMatchObject(ending)
    await until('it is released', () => harness.isolation.left.size === 0)
    await untilNothingMoreIsOpen(open, look)
  },
)

it('containers that were created ahead leave no socket, descriptor or timer when they are released', async () => {
  await harness.close()
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
  await harness.addPipeline('pipe', { stager: done })
  harness.start()
  const stage = async () => {
    await harness.ended((await harness.submit('app', 'pipe', { reuse: false })).uuid)
    await until('two wait', () => harness.parts.prepared.count === 2)
    await harness.parts.prepared.clear()
    await until('it is released', () => harness.isolation.left.size === 0)
  }
  await stage()
  const open = await openInProcess()
  await stage()
  await untilNothingMoreIsOpen(open, openInProcess)
})
