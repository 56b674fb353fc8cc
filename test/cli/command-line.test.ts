import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { stagectl } from '../../cli/stagectl.js'
import { CapturedIo } from './support/captured-io.js'
import {
  anyPipeline,
  anyStager,
  aPackage,
  aPipeline,
  aStaging,
  ended,
  line,
  PACKAGE_ID,
  STAGING_ID,
} from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { notFound, takeResource } from './support/fake-api.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()

describe('usage', () => {
  test.each([
    [['stge'], 'There is no command stge: did you mean stage?'],
    [['package', 'build'], 'The argument <script> is missing'],
    [['stage', '.', '--pipline', 'x'], 'There is no option --pipline: did you mean --pipeline?'],
    [['stage', '.', '--detach', '--output', 'x'], '--output and --detach exclude each other'],
    [['stager', 'create', 'x', '--path', '.', '--start-command', 'y', '--memory', 'lots'], 'such as 256MB'],
    [['stager', 'create', 'x', '--path', '.', '--start-command', 'y', '--timeout', '10'], 'such as 90s, 10m or 1h'],
    [['package', 'update', 'x'], 'There is nothing to change'],
    [['run', 'x', '--publish', 'http'], 'such as 8080:80'],
    [['staging', 'logs', STAGING_ID, '--since', '-1'], 'not an integer'],
  ])('%j is a usage error, exit code 2', async (argv, message) => {
    const { code, io } = await harness().run(...argv)
    expect(io.err).toContain(message)
    expect(code).toBe(2)
    const { io: json } = await harness().run(...argv, '--json')
    expect(json.document()).toMatchObject({ error: { code: 'usage' } })
  })

  test('a command group without a command reports a usage error, also as JSON', async () => {
    const { io } = await harness().run('package', '--json')
    expect(io.document()).toEqual({
      error: { code: 'usage', message: 'A command is missing: see --help.' },
    })
  })

  test('--version and --help; the help of every command has examples', async () => {
    const { run } = harness()
    expect((await run('--version')).io.out).toMatch(/^\d+\.\d+\.\d+\n$/)
    const { io, code } = await run('--help')
    expect(code).toBe(0)
    const groups: Record<string, string[]> = {
      package: ['from-file', 'list', 'show', 'download', 'export', 'import', 'update', 'delete'],
      staging: ['list', 'show', 'logs', 'cancel', 'retry'],
      stager: ['create', 'list', 'show', 'update', 'delete'],
      pipeline: ['create', 'update', 'clone', 'append', 'prepend', 'export', 'list', 'show', 'delete'],
      node: ['status', 'doctor', 'gc'],
      stage: [''],
      detect: [''],
      run: [''],
      namespace: [''],
    }
    for (const [group, commands] of Object.entries(groups)) {
      expect(io.out).toContain(`  ${group}`)
      for (const command of commands) {
        const { io: help, code: ok } = await run(group, ...(command === '' ? [] : [command]), '--help')
        expect(ok).toBe(0)
        expect(help.out).toContain('Examples:\n  $ stagectl ')
      }
    }
  })

  test.each([
    ['package', 'show', 'a b'],
    ['package', 'show', 'job::/::x'],
    ['stager', 'show', 'x', '--namespace', 'acme'],
    ['staging', 'show', 'latest'],
    ['stage', './nowhere'],
    ['package', 'from-file', 'nowhere.tar.gz', 'x'],
  ])('%s %s %s is bad input, exit code 4', async (...argv) => {
    const { run, api } = harness()
    api.on('GET /v1/packages/:ref', () => notFound('package'))
    expect((await run(...argv)).code).toBe(4)
  })
})

describe('no daemon', () => {
  test('without a listener, exit code 3, and the message says how to start the daemon', async () => {
    const { api, run } = harness()
    await api.stop()
    const { code, io } = await run('node', 'status', '--json')
    expect(code).toBe(3)
    expect(io.err).toContain('start it with `sudo stagerd`')
    expect(io.document()).toMatchObject({ error: { code: 'no-daemon' } })
  })

  test('a connection that breaks during a request is exit code 3', async () => {
    const { api, run } = harness()
    api.on('GET /v1/node', (_request, response) => void response.destroy())
    expect((await run('node', 'status')).code).toBe(3)
  })

  test('--socket overrides STAGERD_SOCKET', async () => {
    const { api, io, start, root } = harness()
    api.on('GET /v1/packages', () => [])
    expect(await start(io({ env: { STAGERD_SOCKET: '/nowhere' } }), 'package', 'list')).toBe(0)
    const captured = new CapturedIo(root, { env: { STAGERD_SOCKET: api.socket } })
    expect(await stagectl(['package', 'list'], captured)).toBe(0)
  })
})

describe('namespace', () => {
  test('is stored; STAGERD_NAMESPACE and --namespace override it', async () => {
    const { api, run, io: makeIo, start } = harness()
    api.on('GET /v1/packages/:ref', ({ parameters }) => aPackage({ name: parameters['ref']!.replaceAll(/[:/]/g, '') }))
    const lastRequest = () => api.requested.at(-1)

    expect((await run('namespace')).io.out).toBe('/\n')
    await run('package', 'show', 'x')
    expect(lastRequest()).toBe('GET /v1/packages/package::/::x')

    expect((await run('namespace', '/acme/web')).code).toBe(0)
    expect((await run('namespace', '--json')).io.document()).toEqual({ namespace: '/acme/web' })
    await run('package', 'show', 'x')
    expect(lastRequest()).toBe('GET /v1/packages/package::/acme/web::x')

    await start(makeIo({ env: { STAGERD_NAMESPACE: '/env' } }), 'package', 'show', 'x')
    expect(lastRequest()).toBe('GET /v1/packages/package::/env::x')
    await start(makeIo({ env: { STAGERD_NAMESPACE: '/env' } }), 'package', 'show', 'x', '--namespace', '/flag')
    expect(lastRequest()).toBe('GET /v1/packages/package::/flag::x')
    await run('package', 'show', '/apcera/pkg/os::debian-12')
    expect(lastRequest()).toBe('GET /v1/packages/package::/apcera/pkg/os::debian-12')
    await run('package', 'show', PACKAGE_ID)
    expect(lastRequest()).toBe(`GET /v1/packages/${PACKAGE_ID}`)
    expect((await run('namespace', 'acme')).code).toBe(4)
  })
})

describe('package', () => {
  test('show prints the format of `apc package show`', async () => {
    const { api, run } = harness()
    const ruby = aPackage({
      name: 'ruby-2.0.0-p481',
      namespace: '/apcera/pkg/runtimes',
      dependencies: [{ type: 'os', name: 'ubuntu' }],
      provides: [
        { type: 'runtime', name: 'ruby' },
        { type: 'runtime', name: 'ruby-2.0' },
      ],
      environment: { PATH: '/opt/apcera/ruby-2.0.0-p481/bin:$PATH' },
    })
    api.on('GET /v1/packages/:ref', () => ruby)
    const { io } = await run('package', 'show', 'ruby')
    expect(io.out).toBe(`Package: ruby-2.0.0-p481
FQN: package::/apcera/pkg/runtimes::ruby-2.0.0-p481
UUID: ${PACKAGE_ID}
State: ready
Dependencies: os: ubuntu
Provides: runtime: ruby
  runtime: ruby-2.0
Environment: PATH="/opt/apcera/ruby-2.0.0-p481/bin:$PATH"
Data: none yet
Updated: 2024-05-01T10:00:00.000Z
`)
    expect((await run('package', 'show', 'ruby', '--json')).io.document()).toEqual(ruby)
  })

  test('list prints a table without borders; on a terminal, it is coloured and fits the width', async () => {
    const { api, run, io: makeIo, start } = harness()
    const provides = ['node', 'node-20', 'node-20.1', 'node-20.1.2'].map((name) => ({ type: 'runtime' as const, name }))
    api.on('GET /v1/packages', () => [aPackage({ name: 'node-20.1.2', provides }), aPackage()])
    const { io } = await run('package', 'list', '--type', 'runtime', '--provides', 'node')
    expect(io.out.split('\n').slice(0, 2)).toEqual([
      'FQN                      STATE  SIZE  PROVIDES',
      'package::/::node-20.1.2  ready  -     runtime.node, runtime.node-20, runtime.node-20.1, runtime.node-20.1.2',
    ])
    expect(Object.fromEntries(api.requests[0]!.query)).toEqual({ type: 'runtime', provides: 'node', namespace: '/' })

    const terminal = makeIo({ terminal: true, columns: 60 })
    await start(terminal, 'package', 'list')
    expect(terminal.out).toContain('\x1b[1mFQN')
    const plain = makeIo({ terminal: true, columns: 60, env: { NO_COLOR: '1' } })
    await start(plain, 'package', 'list')
    expect(Math.max(...plain.out.split('\n').map((text) => text.length))).toBeLessThanOrEqual(60)
    expect(plain.out).not.toContain('\x1b')
    expect(plain.out).toContain('..')
  })

  test('from-file uploads the tarball and creates a ready package', async () => {
    const { api, run, root } = harness()
    api
      .on('GET /v1/packages/:ref', () => notFound('package'))
      .on('POST /v1/resources', takeResource)
      .on('POST /v1/packages', () => aPackage())
    const data = Buffer.alloc(3 * 1024 * 1024 + 17, 'x')
    await writeFile(path.join(root, 'os.tar'), data)
    const flags = ['--provides', 'os.linux,os.debian', '--depends-on', 'file.x', '--environment', 'PATH=$PATH:/bin']
    const { code, io } = await run('package', 'from-file', 'os.tar', '/apcera/pkg/os::debian-12', ...flags)
    expect({ code, out: io.out }).toEqual({ code: 0, out: 'Created package::/::app.\n' })
    expect(api.sent('POST /v1/packages')).toEqual({
      namespace: '/apcera/pkg/os',
      name: 'debian-12',
      resource: createHash('sha256').update(data).digest('hex'),
      state: 'ready',
      provides: [
        { type: 'os', name: 'linux' },
        { type: 'os', name: 'debian' },
      ],
      dependencies: [{ type: 'file', name: 'x' }],
      environment: { PATH: '$PATH:/bin' },
    })
    api.on('GET /v1/packages/:ref', () => aPackage())
    expect((await run('package', 'from-file', 'os.tar', 'app')).code).toBe(4)
  })

  test('download writes to a file or to standard output', async () => {
    const { api, run, root } = harness()
    const digest = `sha256:${createHash('sha256').update('data').digest('hex')}`
    const resource = { uuid: PACKAGE_ID, digest, length: 4, compression: 'gzip', removals: 0 }
    api
      .on('GET /v1/packages/:ref', () => aPackage({ resource }))
      .on('GET /v1/packages/:ref/data', (_request, response) => void response.end('data'))
    expect((await run('package', 'download', 'app', '-f', 'x.tgz')).io.out).toBe(
      'Wrote 4 B of package::/::app to x.tgz.\n',
    )
    expect(await readFile(path.join(root, 'x.tgz'), 'utf8')).toBe('data')
    expect((await run('package', 'download', 'app', '-f', '-')).io.out).toBe('data')
    expect((await run('package', 'download', 'app', '-f', '-', '--json')).code).toBe(2)
    const { code, io } = await run('package', 'download', 'app', '-f', 'no/such/x.tgz')
    expect([code, io.err]).toEqual([4, expect.stringContaining('create it first')])
  })

  test('update sends only the given changes', async () => {
    const { api, run } = harness()
    api.on('PATCH /v1/packages/:ref', () => aPackage())
    await run(
      'package',
      'update',
      'app',
      '--name',
      'b',
      '--env-set',
      'A=1',
      '--env-unset',
      'B',
      '--provides-add',
      'file.x',
    )
    expect(api.sent('PATCH /v1/packages/package::/::app')).toEqual({
      name: 'b',
      environment_set: { A: '1' },
      environment_unset: ['B'],
      provides_add: [{ type: 'file', name: 'x' }],
    })
  })

  test('delete asks for confirmation on a terminal, unless --batch is given', async () => {
    const { api, io: makeIo, start, run } = harness()
    let deleted = 0
    api
      .on('GET /v1/packages/:ref', () => aPackage())
      .on('DELETE /v1/packages/:ref', (_request, response) => {
        deleted += 1
        response.writeHead(204).end()
      })
    const no = makeIo({ terminal: true })
    no.stdin.write('n\n')
    expect(await start(no, 'package', 'delete', 'app')).toBe(14)
    expect(no.err).toContain('Delete package::/::app? [y/N]')
    expect(deleted).toBe(0)
    const yes = makeIo({ terminal: true })
    yes.stdin.write('y\n')
    expect(await start(yes, 'package', 'delete', 'app')).toBe(0)
    expect(await start(makeIo({ terminal: true }), 'package', 'delete', 'app', '--batch')).toBe(0)
    expect((await run('package', 'delete', 'app', '--json')).io.document()).toEqual(aPackage())
    expect(deleted).toBe(3)
  })
})

describe('pipeline', () => {
  test('create, clone, append and prepend send FQNs of stagers', async () => {
    const { api, run } = harness()
    api
      .on('GET /v1/stagers/:ref', anyStager)
      .on('GET /v1/stagingpipelines/:ref', anyPipeline)
      .on('POST /v1/stagingpipelines', () => aPipeline())
      .on('PATCH /v1/stagingpipelines/:ref', () => aPipeline())
    await run('pipeline', 'create', 'p', 'a', '/apcera::b', '--namespace', '/acme')
    expect(api.sent('POST /v1/stagingpipelines')).toEqual({
      namespace: '/acme',
      name: 'p',
      stagers: ['job::/acme::a', 'job::/apcera::b'],
    })
    await run('pipeline', 'append', 'p', 'a', 'b')
    expect(JSON.parse(api.requests.at(-1)!.body.toString())).toEqual({ append: ['job::/::a', 'job::/::b'] })
    await run('pipeline', 'prepend', 'p', 'a')
    expect(JSON.parse(api.requests.at(-1)!.body.toString())).toEqual({ prepend: ['job::/::a'] })
    await run('pipeline', 'clone', '/apcera::p', 'q')
    expect(JSON.parse(api.requests.at(-1)!.body.toString())).toEqual({
      namespace: '/',
      name: 'q',
      clone: 'stagpipe::/apcera::p',
    })
  })
})

describe('staging', () => {
  test('logs prints lines, and one array with --json', async () => {
    const { api, run, io: makeIo, start } = harness()
    const lines = [line(4, 'four'), line(5, '\x1b[32mgreen\x1b[0m \x1b]0;title\x07')]
    api.on('GET /v1/stagings/:uuid/log', (_request, response) => {
      new EventStream(response).lines(...lines).end(ended('failed', 'timeout'))
    })
    const { io, code } = await run('staging', 'logs', STAGING_ID, '--since', '3')
    const shown = '[staging] \x1b[32mgreen\x1b[0m \\x1b]0;title\\x07\x1b[0m\n'
    expect(io.out).toBe(`[staging] four\n${shown}`)
    expect(code).toBe(0)
    expect((await run('staging', 'logs', STAGING_ID, '--follow', '--json')).io.document()).toEqual(lines)
    expect((await run('staging', 'logs', STAGING_ID, '--follow')).code).toBe(11)

    // Colours pass, and end with the line. Other control sequences are escaped, in a pipe too, which can lead to a terminal.
    const terminal = makeIo({ terminal: true })
    await start(terminal, 'staging', 'logs', STAGING_ID)
    expect(terminal.out).toContain(shown)
  })

  test('cancel, retry and list', async () => {
    const { api, run } = harness()
    api
      .on('POST /v1/stagings/:uuid/cancel', () => aStaging({ state: 'running' }))
      .on('POST /v1/stagings/:uuid/retry', () => aStaging())
      .on('GET /v1/stagings', () => [ended('failed', 'timeout')])
      .on('GET /v1/stagings/:uuid/log', (_request, response) => new EventStream(response).end(ended('succeeded')))
    expect((await run('staging', 'cancel', STAGING_ID)).io.out).toBe(`Staging ${STAGING_ID} is being cancelled.\n`)
    expect((await run('staging', 'retry', STAGING_ID, '--detach')).io.out).toBe(`${STAGING_ID}\n`)
    expect((await run('staging', 'retry', STAGING_ID, '--json')).io.document()).toEqual(ended('succeeded'))
    expect((await run('staging', 'list')).io.out).toContain('failed (timeout)')
  })
})
