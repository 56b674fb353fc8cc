import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseKeptManifest } from '../../../daemon/packages/manifest/parse-manifest.js'
import type { RunRequest } from '../../../daemon/runs/run.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { LIMITS, RunsUnderTest, untilStopped } from './runs-under-test.js'

describe('runs of packages', () => {
  let under: RunsUnderTest
  beforeEach(async () => {
    under = await RunsUnderTest.open()
  })
  afterEach(() => under.close())

  describe('of a package with a manifest', () => {
    /** Runs it, and returns what its program finds. */
    const found = async (request: Partial<RunRequest> = {}) => {
      let context: FakeContext | undefined
      under.isolation.stagers.set('./app', (given) => {
        context = given
        return Promise.resolve()
      })
      await (
        await under.start(request)
      ).ended
      return { ...context!.plan, filled: Object.fromEntries(context!.filled) }
    }
    const addStaged = (text: string, environment: Readonly<Record<string, string>> = {}) => {
      const manifest = parseKeptManifest(text)
      return under.addPackage('app', {
        manifest,
        templates: manifest.templates ?? [],
        environment: { START_COMMAND: './app', ...manifest.env, ...environment },
      })
    }

    it('have its resources as their limits, unless the request has others', async () => {
      await addStaged('resources { cpu: 50%, memory: 64MB, disk_space: 2MB }')
      const { limits } = await found()
      const own = { memoryBytes: 64 << 20, cpus: 0.5, pids: 64, diskBytes: 2 << 20 }
      expect(limits).toEqual({ ...own, timeoutMs: Infinity })
      expect((await found({ limits: { cpus: 2, pids: 5 } })).limits).toEqual({
        ...own,
        cpus: 2,
        pids: 5,
        timeoutMs: Infinity,
      })
    })

    it('have its templates filled in, by their path from the root or from START_PATH', async () => {
      await addStaged(
        'templates [ { path: "/etc/app.conf" }, { path: "app.rb", left_delimiter: "<<", right_delimiter: ">>" } ]\n' +
          'tags { team: "shop" }, resources { cpu: 250 }',
        { START_PATH: '/app', MODE: 'fast' },
      )
      under.isolation.rootFiles.set(
        '/etc/app.conf',
        '{{name}} {{port}} {{cpu}} {{memory}} {{env "MODE"}}{{range bindings}}x{{end}}',
      )
      under.isolation.rootFiles.set('/app/app.rb', '<<range tags>><<.Name>>=<<.Value>><<end>> {{name}}')
      const { id, filled } = await found({ publish: [{ containerPort: 8080, hostPort: 0 }] })
      expect(filled).toEqual({
        '/etc/app.conf': `app 8080 250 ${LIMITS.memoryBytes} fast`,
        '/app/app.rb': 'team=shop {{name}}',
      })
      under.isolation.rootFiles.set('/etc/app.conf', '{{uuid}}')
      const again = await found()
      expect(again.filled['/etc/app.conf']).toBe(again.id)
      expect(again.id).not.toBe(id)
    })

    it('have the file of the application filled in where the root has one of the same path too', async () => {
      await addStaged('templates [ { path: "etc/shop.conf" } ]', { START_PATH: '/app' })
      under.isolation.rootFiles.set('/etc/shop.conf', 'root').set('/app/etc/shop.conf', 'app of {{name}}')
      expect((await found()).filled).toEqual({ '/app/etc/shop.conf': 'app of app' })
    })

    it('have the file from the root filled in where a stager has named it', async () => {
      const template = { path: 'etc/shop.conf', left_delimiter: '{{', right_delimiter: '}}' }
      await under.addPackage('app', {
        templates: [template],
        environment: { START_COMMAND: './app', START_PATH: '/app' },
      })
      under.isolation.rootFiles.set('/etc/shop.conf', 'root of {{name}}').set('/app/etc/shop.conf', 'app')
      expect((await found()).filled).toEqual({ '/etc/shop.conf': 'root of app' })
    })

    it('have the templates of their dependencies filled in too', async () => {
      const nginx = { type: 'package', name: 'nginx' } as const
      const template = { path: 'etc/nginx.conf', left_delimiter: '{{', right_delimiter: '}}' }
      await under.addPackage('nginx', { provides: [nginx], templates: [template] })
      await under.addPackage('app', { dependencies: [nginx], environment: { START_COMMAND: './app', PORT: '80' } })
      under.isolation.rootFiles.set('/etc/nginx.conf', 'listen {{port}};')
      expect((await found()).filled).toEqual({ '/etc/nginx.conf': 'listen 80;' })
    })

    it('have its variables filled in, but no others', async () => {
      await addStaged('env { URL: "http://{{name}}:{{env `PORT`}}/", RAW: "{{name}}", MODE: "{{name}}" }', {
        MODE: '{{of the stager}}',
        FORMAT: '{{.ID}}',
      })
      const { environment } = await found({ environment: { RAW: '{{kept}}', PORT: '80' } })
      expect(environment).toMatchObject({
        URL: 'http://app:80/',
        RAW: '{{kept}}',
        MODE: '{{of the stager}}',
        FORMAT: '{{.ID}}',
      })
    })

    it.each([
      [
        'bad-template',
        'x\n{{nmae}}',
        'Line 2, column 11 of the manifest: The template /etc/app.conf cannot be filled in: line 2, column 3: expected name, or',
      ],
      [
        'bad-template',
        '{{ (binding_service "db").URI.Host }}',
        'line 1, column 5: expected a binding of the job, found none named "db".',
      ],
      ['no-template', undefined, 'Line 2, column 11 of the manifest: There is no file /etc/app.conf'],
    ])('do not start with a mistake in a template (%s), and leave nothing', async (code, text, message) => {
      under.isolation.stagers.set('./app', untilStopped)
      await addStaged('templates [\n  { path: "/etc/app.conf" } ]')
      if (text !== undefined) under.isolation.rootFiles.set('/etc/app.conf', text)
      await expect(under.start()).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string })
    })

    it('do not start with a mistake in a variable, and leave nothing', async () => {
      await addStaged(`env {\n  DB: '{{ (binding_service "db").URI.Host }}'\n}`)
      await expect(under.start()).rejects.toMatchObject({
        code: 'bad-template',
        message:
          'Line 2, column 7 of the manifest: The value of DB cannot be filled in: line 1, column 5: expected a binding of the job, found none named "db".',
      })
    })
  })
})
