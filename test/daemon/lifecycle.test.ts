import { once } from 'node:events'
import { lstat, readFile, rename, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { request as secureRequest } from 'node:https'
import { createServer } from 'node:net'
import path from 'node:path'
import { json } from 'node:stream/consumers'
import { connect, TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { CleanupStack } from '../../base/cleanup-stack.js'
import { EVERYBODY } from '../../daemon/api/access.js'
import { buildServer } from '../../daemon/api/server.js'
import { Daemon } from '../../daemon/lifecycle.js'
import type { Settings } from '../../daemon/settings/settings.js'
import { Authority } from '../support/certificates.js'
import { freePort } from '../support/free-port.js'
import { UNGUARDED } from './api/api-client.js'
import { temporaryDirectory } from './store/temporary-directory.js'

describe('the daemon', () => {
  let directory: string
  let socket: string
  let calls: string[]
  let errors: unknown[]
  let warnings: string[]
  let undo: CleanupStack
  let idle: Promise<void>
  let missing: Error | undefined
  beforeEach(async () => {
    const temporary = await temporaryDirectory()
    onTestFinished(() => temporary.remove())
    directory = temporary.path
    socket = path.join(directory, 'stagerd.sock')
    calls = []
    idle = Promise.resolve()
    missing = undefined
    errors = []
    warnings = []
    undo = new CleanupStack()
    undo.defer('close the store', () => void calls.push('store closed'))
  })

  const note = (call: string) => () => {
    calls.push(call)
  }
  const stopping = (call: string) => () => {
    calls.push(call)
    return Promise.resolve()
  }
  const open = (
    control: Partial<Settings['control']> = {},
    stopRuns: () => Promise<void> = stopping('runs stopped'),
    bootstrap?: readonly string[],
  ) => {
    const api = buildServer({
      logger: pino({ level: 'silent' }),
      registry: new Registry(),
      ...UNGUARDED,
      routes: [(scope) => void scope.get('/healthz', { access: EVERYBODY }, () => ({ status: 'ok' }))],
    })
    api.addHook('onClose', (_api, done) => {
      calls.push('API closed')
      done()
    })
    const service = {
      start: note('staging started'),
      stop: stopping('staging stopped'),
      drain: note('queued stagings wait'),
      idle: () => idle,
      limit: 2,
      setLimit: (limit: number) => void calls.push(`at most ${limit}`),
    }
    const deliveries = { start: () => undefined, stop: () => Promise.resolve() }
    const readiness = { assertReady: () => (missing ? Promise.reject(missing) : Promise.resolve()) }
    const stagingCounts = () => Promise.resolve({ running: 1, queued: 3, interrupted: 0, oldestQueuedAt: undefined })
    const settings = {
      socket,
      group: 'a-group-that-no-host-has',
      control: { address: undefined, certificate: undefined, key: undefined, ...control },
      stateDir: directory,
      bootstrap,
    }
    const bootstraps = {
      resume: () => Promise.resolve(),
      startNext: (pipelines: readonly string[]) => {
        calls.push(`bootstrap of ${pipelines.join(', ')} started`)
        // It takes minutes, and nothing waits for it.
        return new Promise<never>(() => undefined)
      },
      stop: () => Promise.resolve(),
    }
    const verifier = { start: () => undefined, stop: () => Promise.resolve() }
    const logger = {
      info: () => undefined,
      warn: (_entry: unknown, message?: string) => void warnings.push(message ?? ''),
      error: (entry: unknown) => void errors.push(entry),
    }
    const daemon = new Daemon(
      {
        api,
        service,
        deliveries,
        runs: { stop: stopRuns },
        bootstraps,
        readiness,
        stagingCounts,
        verifier,
        cloudFoundry: undefined,
        forNodes: undefined,
      },
      settings,
      logger,
      undo,
    )
    onTestFinished(() => daemon.stop())
    return daemon
  }

  const get = async (address: object) => {
    const asked = request({ path: '/healthz', agent: false, ...address }).end()
    const [answer] = (await once(asked, 'response')) as [NodeJS.ReadableStream & { statusCode: number }]
    return { status: answer.statusCode, document: await json(answer) }
  }

  it('serves its socket, and stops in the reverse order of its start', async () => {
    const daemon = open()
    await daemon.start()
    expect(await get({ socketPath: socket })).toEqual({ status: 200, document: { status: 'ok' } })
    expect((await lstat(socket)).mode & 0o777).toBe(0o660)
    await daemon.stop()
    expect(calls).toEqual(['staging started', 'API closed', 'runs stopped', 'staging stopped', 'store closed'])
    expect(errors).toEqual([])
  })

  it('lets running stagings end before it stops, while its API answers, until it is told not to wait', async () => {
    const daemon = open()
    await daemon.start()
    expect(await daemon.drain(AbortSignal.timeout(60_000))).toBe(true)
    idle = new Promise(() => undefined)
    const atOnce = new AbortController()
    const draining = daemon.drain(atOnce.signal)
    expect((await get({ socketPath: socket })).status).toBe(200)
    atOnce.abort()
    expect(await draining).toBe(false)
    expect(await daemon.drain(atOnce.signal)).toBe(false)
    expect(calls).toEqual(['staging started', ...Array<string>(3).fill('queued stagings wait')])
  })

  it('says how many stagings there are, or what is missing', async () => {
    const daemon = open()
    expect(await daemon.status()).toBe('1 of at most 2 stagings running, 3 queued')
    missing = new Error('The Docker Engine does not answer.')
    expect(await daemon.status()).toBe('Not ready: The Docker Engine does not answer.')
  })

  it('makes the pipelines of its settings at the start, and none without that setting', async () => {
    const daemon = open(undefined, undefined, ['nodejs', 'ruby'])
    await daemon.start()
    await expect.poll(() => calls).toContain('bootstrap of nodejs, ruby started')
    expect(errors).toEqual([])
  })

  it('serves its control address with TLS only, and reads the certificate again on request', async () => {
    const authority = await Authority.make(directory)
    const files = await authority.issue('first')
    const port = await freePort()
    const daemon = open({ address: { host: '127.0.0.1', port }, ...files })
    await daemon.start()
    const seen = async () => {
      const asked = secureRequest({
        port,
        path: '/healthz',
        agent: false,
        ca: await readFile(authority.certificate),
      }).end()
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      if (!(answer.socket instanceof TLSSocket)) throw new Error('the connection has no TLS')
      const { subject } = answer.socket.getPeerCertificate()
      return { status: answer.statusCode, subject: subject.CN, document: await json(answer) }
    }
    expect(await seen()).toEqual({ status: 200, subject: 'first', document: { status: 'ok' } })
    await expect(get({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect(once(connect({ port, host: '127.0.0.1', maxVersion: 'TLSv1.1' }), 'secureConnect')).rejects.toThrow()

    const second = await authority.issue('second')
    await rename(second.certificate, files.certificate)
    await daemon.reloadCertificates()
    expect(errors).toMatchObject([{ err: { code: 'bad-tls-key' } }])
    expect(await seen()).toMatchObject({ subject: 'first' })
    await rename(second.key, files.key)
    await daemon.reloadCertificates()
    expect(await seen()).toMatchObject({ subject: 'second' })

    await daemon.stop()
    await expect(get({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('warns of a certificate that has expired, or soon will', async () => {
    const files = await (await Authority.make(directory)).issue('host', { days: 5 })
    await open({ address: { host: '127.0.0.1', port: await freePort() }, ...files }).start()
    expect(warnings).toContainEqual(expect.stringMatching(/^the certificate of the control address expires at 20/))
  })

  it('that cannot have its socket starts nothing, and releases what it opened', async () => {
    await writeFile(socket, 'a file of somebody')
    const daemon = open()
    await expect(daemon.start()).rejects.toMatchObject({ code: 'not-a-socket' })
    await daemon.stop()
    expect(calls).toEqual(['store closed'])
  })

  it('that cannot have its port stops what it started', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const files = await (await Authority.make(directory)).issue('host')
    const daemon = open({ address: { host: '127.0.0.1', port }, ...files })
    await expect(daemon.start()).rejects.toMatchObject({
      code: 'address-in-use',
      message: `Another program listens on 127.0.0.1:${port}: stop it, or use another address with --control-address.`,
    })
    await daemon.stop()
    expect(calls).toEqual(['API closed', 'runs stopped', 'staging stopped', 'store closed'])
  })

  it('logs what does not stop, and stops the rest', async () => {
    const error = new Error('a run does not stop')
    const daemon = open(undefined, () => Promise.reject(error))
    await daemon.start()
    await daemon.stop()
    expect(errors).toEqual([{ err: error, what: 'stop the runs' }])
    expect(calls).toEqual(['staging started', 'API closed', 'staging stopped', 'store closed'])
  })

  it('whose group does not exist says so, and what to do', async () => {
    await open().start()
    expect(warnings).toEqual([
      'there is no group a-group-that-no-host-has on this host, so that only root can use stagectl: create it (groupadd --system a-group-that-no-host-has), add users to it, and restart stagerd; or set another one with --group',
    ])
  })

  it('stops once, however often it is asked to', async () => {
    const daemon = open()
    await daemon.start()
    await Promise.all([daemon.stop(), daemon.stop()])
    expect(calls.filter((call) => call === 'store closed')).toHaveLength(1)
  })
})
