import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DROPLET_HOME, runnerScript } from '../../../daemon/packages/droplet/runner-script.js'
import type { DropletRunRequest } from '../../../daemon/runs/run.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { LIMITS, NODE, RunsUnderTest } from './runs-under-test.js'

const RUBY = { type: 'runtime', name: 'ruby' } as const
const LINUX = { type: 'os', name: 'linux' } as const
const DROPLET = 'd'.repeat(64)

describe('runs of droplets', () => {
  let under: RunsUnderTest
  beforeEach(async () => {
    under = await RunsUnderTest.open()
    await under.addPackage('debian', { provides: [LINUX] })
    await under.addPackage('ruby-3', {
      ...{ provides: [RUBY, { type: 'runtime', name: 'ruby-3.1' }], dependencies: [LINUX] },
      environment: { GEM_HOME: '/gems', MODE: 'ruby' },
    })
  })
  afterEach(() => under.close())

  const start = (request: Partial<DropletRunRequest> = {}) =>
    under.runs.start(
      {
        ...{ droplet: DROPLET, name: 'shop', namespace: '/acme', dependencies: [RUBY], services: '{}' },
        ...{ environment: {}, publish: [], egress: false, ...request },
      },
      { output: () => Promise.resolve() },
      new AbortController().signal,
    )

  /** The plan with which the program of the droplet is started. */
  const planOf = async (request: Partial<DropletRunRequest> = {}, executable: string | null = 'ruby') => {
    let plan: FakeContext['plan'] | undefined
    under.isolation.stagers.set(runnerScript(executable ?? undefined), (context) => {
      plan = context.plan
      return Promise.resolve()
    })
    const { ended, namespace } = await start(request)
    expect(await ended).toEqual({ exitCode: 0, reason: 'exited' })
    expect(namespace).toBe('/acme')
    return plan!
  }

  it('get what the droplet depends on, and the droplet above it, as runner, without an input', async () => {
    const plan = await planOf()
    expect(plan.root.map(({ name }) => name)).toEqual(['package::/::debian', 'package::/::ruby-3', 'droplet shop'])
    expect(plan).toMatchObject({ user: 'runner', workingDirectory: DROPLET_HOME, endsItself: true, shims: false })
    expect(plan.root.at(-1)).toMatchObject({ sha256: DROPLET, removals: [] })
    expect(plan.input).toBeUndefined()
  })

  it('get the variables of the execution agents, which those of the request override', async () => {
    const services = '{"mysql":[]}'
    const { environment } = await planOf({ services, environment: { MODE: 'request' }, name: 'shop' })
    expect(environment).toMatchObject({
      ...NODE.always,
      ...{ PORT: '8080', VCAP_APP_PORT: '8080', VCAP_APP_HOST: '0.0.0.0', VCAP_SERVICES: services },
      ...{ GEM_HOME: '/gems', MODE: 'request', HOME: '/home/vcap/app' },
    })
    expect(JSON.parse(environment.VCAP_APPLICATION ?? '')).toEqual({
      ...{ instance_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string, instance_index: 0 },
      ...{ host: '0.0.0.0', port: 8080, limits: { mem: 256, disk: 1 } },
      ...{ application_name: 'shop', name: 'shop', application_uris: [], uris: [] },
    })
  })

  it('get the first published port as theirs', async () => {
    const publish = [3000, 4000].map((containerPort) => ({ containerPort, hostPort: 0 }))
    const { environment } = await planOf({ publish })
    expect(environment).toMatchObject({ PORT: '3000', VCAP_APP_PORT: '3000' })
    expect((await planOf({ publish, environment: { PORT: '1' } })).environment).toMatchObject({
      PORT: '1',
      VCAP_APP_PORT: '3000',
    })
  })

  it('get the limits of the request, or the defaults without a timeout, and egress only if they request it', async () => {
    const plan = await planOf({ limits: { pids: 7 } })
    expect(plan.limits).toEqual({ ...LIMITS, pids: 7, timeoutMs: Infinity })
    expect(plan.egress).toBe(false)
    expect((await planOf({ egress: true })).environment).toMatchObject(NODE.withEgress)
  })

  it('have the program of their runtime as %VCAP_LOCAL_RUNTIME%', async () => {
    await planOf({ dependencies: [LINUX, { type: 'runtime', name: 'ruby-3.1' }] }, 'ruby')
    await planOf({ dependencies: [LINUX] }, null)
    // What a shell would take for something else is no program.
    const name = `ruby;id`
    await under.addPackage('odd', { provides: [{ type: 'runtime', name }], dependencies: [LINUX] })
    await planOf({ dependencies: [{ type: 'runtime', name }] }, null)
  })

  it('get the hints of a run, for their own command', async () => {
    under.isolation.stagers.set(runnerScript('ruby'), async ({ print, exit }) => {
      await print('curl: (6) Could not resolve host: api.example.com')
      exit(1)
    })
    const { hint } = await (await start()).ended
    expect(hint).toContain("allow it with 'stagectl droplet run --allow-egress'")
  })

  it('are refused without anything to run on, and with what is not there', async () => {
    await expect(start({ dependencies: [] })).rejects.toMatchObject({ code: 'no-runtime' })
    const cobol = { type: 'runtime', name: 'cobol' } as const
    await expect(start({ dependencies: [cobol] })).rejects.toMatchObject({ code: 'unresolved' })
  })

  it('obey the policies of their namespace', async () => {
    const text = 'on job::/acme { package.allow "package::/prod" }'
    await under.store.policies.create({ namespace: '/', name: 'acme', text })
    await expect(start()).rejects.toMatchObject({ code: 'policy' })
    under.isolation.stagers.set(runnerScript('ruby'), () => Promise.resolve())
    await (
      await start({ namespace: '/other' })
    ).ended
  })
})
