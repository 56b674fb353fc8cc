import { createHash, randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from 'vitest'
import { Fault, Unavailable } from '../../../base/errors.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { atTestEnd } from '../../support/at-test-end.js'
import type { FakeStager } from '../../support/fake-isolation.js'
import { tarOf } from '../../support/tar-builder.js'
import { call } from '../../support/staging-harness.js'
import { application, CONTENT, furnish } from './furnish.js'

/** A node with the pipeline `nodejs`, whose stager is this program, and the application `shop`. */
async function nodeWith(program: FakeStager = CONTENT, flags: Readonly<Record<string, string>> = {}) {
  const node = await DaemonInProcess.start(flags)
  atTestEnd(() => node.close())
  await furnish(node, program)
  await application(node, 'shop')
  return node
}

const newestOf = async (node: DaemonInProcess) => {
  const [newest] = JSON.parse(await node.made('staging', 'list', '--json')) as { uuid: string; state: string }[]
  return newest!
}

/** The exit code and the cause of a staging of `shop`. */
async function stage(node: DaemonInProcess, ...options: string[]) {
  const { code, out, err } = await node.stagectl(['stage', 'shop', ...options])
  const { failure } = JSON.parse(await node.made('staging', 'show', (await newestOf(node)).uuid, '--json')) as {
    failure?: { cause: string }
  }
  return { code, cause: failure?.cause, said: out + err }
}

/** `staging retry` of the newest one. */
const retry = async (node: DaemonInProcess) =>
  (await node.stagectl(['staging', 'retry', (await newestOf(node)).uuid])).code

const explained = async (node: DaemonInProcess) => {
  const { out, err } = await node.stagectl(['package', 'resolve', 'shop', '--explain'])
  return out + err
}

const whatIsReady = async (node: DaemonInProcess) => await node.get('/readyz')

/** Symptoms of "Trouble, by symptom", each with what provokes it and does what the guide says. */
export const OF_STAGINGS: Readonly<Record<string, () => Promise<void>>> = {
  '`/readyz` is 503, the log says "waiting for the Docker Engine"': async () => {
    const node = await nodeWith()
    node.isolation.down = new Unavailable('engine-down', 'The Docker Engine does not answer.')
    await node.restart()
    expect(await whatIsReady(node)).toMatchObject({ status: 503, code: 'engine-down' })
    await node.made('stage', 'shop', '--detach')
    await expect.poll(() => node.said('waiting for the Docker Engine')).toBe(true)
    expect(await newestOf(node)).toMatchObject({ state: 'queued' })
    node.isolation.down = undefined
    await expect.poll(() => newestOf(node)).toMatchObject({ state: 'succeeded' })
    expect(await whatIsReady(node)).toMatchObject({ status: 200 })
  },

  '`/readyz` is 503 with `firewall-unusable`': async () => {
    const node = await nodeWith()
    const examine = node.isolation.examineFirewall.bind(node.isolation)
    const finding = { subject: 'firewall', verdict: 'bad', message: 'iptables is missing' } as const
    node.isolation.examineFirewall = () => Promise.resolve([finding])
    expect(await whatIsReady(node)).toMatchObject({ status: 503, code: 'firewall-unusable' })
    await node.made('node', 'drain')
    await node.made('stage', 'shop', '--detach')
    expect(await newestOf(node)).toMatchObject({ state: 'queued' })
    node.isolation.examineFirewall = examine
    await node.made('node', 'undrain')
    await expect.poll(() => newestOf(node)).toMatchObject({ state: 'succeeded' })
    // What was found holds for some seconds, or until a restart.
    await node.restart()
    expect(await whatIsReady(node)).toMatchObject({ status: 200 })
  },

  'stagings stay queued': async () => {
    let end = (): void => undefined
    const busy = new Promise<void>((resolve) => (end = resolve))
    const node = await nodeWith(
      async (context) => {
        await busy
        await CONTENT(context)
      },
      { concurrency: '1' },
    )
    await node.made('stage', 'shop', '--detach')
    await expect.poll(() => newestOf(node)).toMatchObject({ state: 'running' })
    await node.made('stage', 'shop', '--name', 'second', '--detach')
    expect(await node.made('node', 'status')).toContain('1 of at most 1 running, 1 queued')
    end()
    await expect.poll(() => newestOf(node)).toMatchObject({ state: 'succeeded' })

    await node.made('node', 'drain')
    await node.made('stage', 'shop', '--detach')
    expect(await node.made('node', 'status')).toMatch(/draining/i)
    await node.made('node', 'undrain')
    await expect.poll(() => newestOf(node)).toMatchObject({ state: 'succeeded' })
  },

  'a staging failed with `unresolved`': async () => {
    const node = await nodeWith()
    const failed = await stage(node, '--depends-on', 'runtime.node')
    expect(failed).toMatchObject({ code: 13, cause: 'unresolved' })
    expect(failed.said).toContain('runtime.node')
    expect(await explained(node)).toContain('runtime.node')
    await node.made('package', 'from-file', 'any.tar.gz', 'node', '--provides', 'runtime.node')
    expect(await retry(node)).toBe(0)
  },

  'a staging failed with `policy`': async () => {
    const node = await nodeWith()
    await node.made('package', 'from-file', 'any.tar.gz', 'node', '--provides', 'runtime.node')
    const policy = path.join(node.directory, 'rules.pol')
    await writeFile(policy, 'job::/ { package.retire "package::/::node" }')
    await node.made('policy', 'put', 'rules.pol')
    expect(await stage(node, '--depends-on', 'runtime.node')).toMatchObject({ code: 5, cause: 'policy' })
    expect(await explained(node)).toContain('policydoc::/::rules')
    await node.made('policy', 'delete', 'rules', '--batch')
    expect(await retry(node)).toBe(0)
  },

  'a staging failed with `timeout`, `out-of-memory`, `pids-limit` or `disk-full`': async () => {
    let program: FakeStager = CONTENT
    const node = await nodeWith((context) => program(context))
    const limit = (...options: string[]) => node.made('stager', 'update', 'nodejs', ...options)
    const cases: readonly (readonly [string, FakeStager, readonly string[], readonly string[]])[] = [
      ['out-of-memory', ({ allocate }) => run(() => allocate(300 << 20)), ['--memory', '256MB'], ['--memory', '1GB']],
      ['pids-limit', ({ fork }) => run(() => fork(100)), ['--pids', '64'], ['--pids', '256']],
      [
        'disk-full',
        ({ writeFile: write }) => run(() => write('/a', 'x'.repeat(2 << 20))),
        ['--disk', '1MB'],
        ['--disk', '1GB'],
      ],
      ['timeout', ({ signal }) => delayed(1500, signal), ['--timeout', '1s'], ['--timeout', '30m']],
    ]
    for (const [cause, uses, little, more] of cases) {
      program = async (context) => {
        await uses(context)
        await CONTENT(context)
      }
      await limit(...little)
      expect(await stage(node, '--no-reuse')).toMatchObject({ code: cause === 'timeout' ? 11 : 12, cause })
      await limit(...more)
      expect(await retry(node), cause).toBe(0)
    }
  },

  'a staging failed with `data-limit`': async () => {
    let bytes = 2_000_000
    const node = await nodeWith(
      async ({ url }) => {
        const body = tarOf({ name: 'app/x', data: randomBytes(bytes) })
        const sha256 = createHash('sha256').update(body).digest('hex')
        const response = await fetch(`${url}/data?sha256=${sha256}`, { method: 'POST', body })
        if (response.status === 200) await call(url, 'POST /done')
      },
      { launchData: '1MB' },
    )
    expect(await stage(node)).toMatchObject({ code: 12, cause: 'data-limit' })
    bytes = 500_000
    expect(await retry(node)).toBe(0)
  },

  'a staging failed with `infrastructure`': async () => {
    const node = await nodeWith()
    const prepare = node.isolation.prepare.bind(node.isolation)
    node.isolation.prepare = () => Promise.reject(new Fault('process-failed', 'mount failed: exit code 32.'))
    expect(await stage(node)).toMatchObject({ code: 1, cause: 'infrastructure' })
    node.isolation.prepare = prepare
    expect(await retry(node)).toBe(0)
  },

  'a staging failed with `stager-failed` or `no-verdict`': async () => {
    let program: FakeStager = async ({ url, print }) => {
      await print(
        'npm error request to https://registry.npmjs.org/express failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org',
      )
      await call(url, 'POST /failed')
    }
    const node = await nodeWith((context) => program(context))
    expect(await stage(node)).toMatchObject({ code: 10, cause: 'stager-failed' })
    const { uuid } = await newestOf(node)
    expect(await node.made('staging', 'logs', uuid)).toContain('EAI_AGAIN')
    expect(await node.made('staging', 'show', uuid)).toContain('--allow-egress')
    program = () => Promise.resolve()
    expect(await stage(node)).toMatchObject({ code: 10, cause: 'no-verdict' })
    expect((await node.stagectl(['staging', 'retry', (await newestOf(node)).uuid, '--keep-failed', '15m'])).code).toBe(
      10,
    )
    expect((await node.stagectl(['staging', 'shell', (await newestOf(node)).uuid, '--', 'pwd'])).code).toBe(0)
  },

  'a staging with secrets failed after a restore, or cannot be retried': async () => {
    const node = await nodeWith()
    const env = { TOKEN: 'a secret token' }
    await node.made('stager', 'update', 'nodejs', '--secret-add', 'TOKEN')
    await node.made('node', 'drain')
    expect((await node.stagectl(['stage', 'shop', '--secret', 'TOKEN', '--detach'], { env })).code).toBe(0)
    await node.made('node', 'backup', 'node.tar')
    await node.stop()
    await rm(node.stateDirectory, { recursive: true })
    await node.start()
    await node.made('node', 'restore', 'node.tar')
    await expect.poll(() => newestOf(node)).toMatchObject({ state: 'failed' })
    const { uuid } = await newestOf(node)
    expect(await node.made('staging', 'show', uuid)).toContain('secret')
    const again = await node.stagectl(['staging', 'retry', uuid])
    expect([again.code, again.err]).toEqual([4, expect.stringContaining('secret')])
    expect((await node.stagectl(['stage', 'shop', '--secret', 'TOKEN'], { env })).code).toBe(0)
  },

  'an earlier result is not in `package history`': async () => {
    const node = await nodeWith(CONTENT, { results: '2' })
    const change = async (text: string) => {
      await writeFile(path.join(node.directory, 'shop/index.js'), text)
      await node.made('stage', 'shop')
      return (JSON.parse(await node.made('package', 'history', 'shop', '--json')) as unknown[]).length
    }
    await change('1')
    const kept = [await change('2'), await change('3'), await change('4')]
    node.flags = { results: '4' }
    await node.restart()
    expect([await change('5'), await change('6')]).toEqual([kept[2]! + 1, kept[2]! + 2])
  },

  '"a resource of a launch could not be removed" in the log': async () => {
    const node = await nodeWith()
    node.isolation.undoFailures = [{ what: 'mount /stagerfs', error: new Fault('process-failed', 'It is busy.') }]
    await stage(node)
    await expect.poll(() => node.said('a resource of a launch could not be removed')).toBe(true)
    const sweep = node.isolation.sweep.bind(node.isolation)
    node.isolation.sweep = async (live) => ({ ...(await sweep(live)), failures: node.isolation.undoFailures })
    await stage(node, '--no-reuse')
    await expect.poll(() => node.said('could not be swept')).toBe(true)
    expect(node.log.find((entry) => entry.includes('could not be swept'))).toContain('mount /stagerfs')
    node.isolation.undoFailures = []
    const before = node.log.length
    await node.restart()
    expect(node.log.slice(before).filter((entry) => entry.includes('could not be'))).toEqual([])
  },
}

const run = (step: () => void): Promise<void> => Promise.resolve().then(step)

async function delayed(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
