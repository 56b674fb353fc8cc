import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RunRequest } from '../../../daemon/runs/run.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { LIMITS, NODE, RunsUnderTest } from './runs-under-test.js'

describe('runs of packages', () => {
  let under: RunsUnderTest
  beforeEach(async () => {
    under = await RunsUnderTest.open()
  })
  afterEach(() => under.close())

  describe('get', () => {
    /** The plan with which the program is started. */
    const planOf = async (request: Partial<RunRequest> = {}, command = './app') => {
      let plan: FakeContext['plan'] | undefined
      under.isolation.stagers.set(command, (context) => {
        plan = context.plan
        return Promise.resolve()
      })
      await (
        await under.start(request)
      ).ended
      return plan!
    }

    it('their published host ports, in the order of the request', async () => {
      await under.addApp(() => Promise.resolve())
      const publish = [
        { containerPort: 80, hostPort: 8080 },
        { containerPort: 443, hostPort: 8443 },
      ]
      const { ports, ended } = await under.start({ publish })
      expect(ports).toEqual([8080, 8443])
      await ended
    })

    it('the packages that they depend on, below their own', async () => {
      const linux = { type: 'os', name: 'linux' } as const
      const ruby = { type: 'runtime', name: 'ruby' } as const
      await under.addPackage('debian', { provides: [linux] })
      await under.addPackage('ruby', { provides: [ruby], dependencies: [linux] })
      await under.addPackage('app', { dependencies: [ruby], environment: { START_COMMAND: './app' } })
      const { root } = await planOf()
      expect(root.map(({ name }) => name)).toEqual(['package::/::debian', 'package::/::ruby', 'package::/::app'])
    })

    it('the environment of the daemon, the dependencies, the package and the request, each overriding the previous ones', async () => {
      const linux = { type: 'os', name: 'linux' } as const
      await under.addPackage('debian', {
        provides: [linux],
        environment: { FROM: 'debian', SSL_CERT_FILE: '/debian.pem' },
      })
      await under.addPackage('app', {
        dependencies: [linux],
        environment: { START_COMMAND: './app', START_PATH: '/srv', FROM: 'app', MODE: 'app' },
      })
      const { environment, workingDirectory } = await planOf({ environment: { MODE: 'request' } })
      expect(environment).toMatchObject({ SSL_CERT_FILE: '/debian.pem', FROM: 'app', MODE: 'request' })
      expect(workingDirectory).toBe('/srv')
    })

    it('the proxies of the node only with egress', async () => {
      await under.addPackage('app', { environment: { START_COMMAND: './app' } })
      expect((await planOf({ egress: true })).environment).toMatchObject(NODE.withEgress)
      expect((await planOf()).environment).not.toHaveProperty('http_proxy')
    })

    it.each<[what: string, ports: number[], own: Record<string, string>, port: string | undefined]>([
      ['the published port', [3000], {}, '3000'],
      ['the published port, also if it is published twice', [3000, 3000], {}, '3000'],
      ['that of the package, before the published one', [3000], { PORT: '8080' }, '8080'],
      ['nothing without a published port', [], {}, undefined],
      ['nothing with several', [3000, 3001], {}, undefined],
    ])('as PORT %s', async (_what, ports, own, port) => {
      await under.addPackage('app', { environment: { START_COMMAND: './app', ...own } })
      const publish = ports.map((containerPort) => ({ containerPort, hostPort: 0 }))
      expect((await planOf({ publish })).environment.PORT).toBe(port)
      expect((await planOf({ publish, environment: { PORT: '1' } })).environment.PORT).toBe('1')
    })

    it('the command of the request, which overrides that of the package', async () => {
      await under.addPackage('app', { environment: { START_COMMAND: './app' } })
      expect(await planOf({ command: './other' }, './other')).toMatchObject({
        command: './other',
        workingDirectory: '/',
      })
    })

    it('the limits of the request, or the defaults without a timeout', async () => {
      await under.addPackage('app', { environment: { START_COMMAND: './app' } })
      expect((await planOf({ limits: { pids: 7 } })).limits).toEqual({ ...LIMITS, pids: 7, timeoutMs: Infinity })
    })

    it('egress only if they request it', async () => {
      await under.addPackage('app', { environment: { START_COMMAND: './app' } })
      expect((await planOf({ egress: true })).egress).toBe(true)
      expect((await planOf()).egress).toBe(false)
    })
  })
})
