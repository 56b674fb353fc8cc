import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { vi } from 'vitest'
import type { StagingDraft } from '../../../daemon/documents/staging.js'
import { Authority } from '../../support/certificates.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { freePort } from '../../support/free-port.js'
import { call } from '../../support/staging-harness.js'
import { tarOf } from '../../support/tar-builder.js'
import { zipOf } from '../../support/zip-builder.js'
import type { Kind, Own, Sent } from '../control/reach.js'

export interface Answered {
  readonly status: number
  readonly text: string
}

/** In all that a tenant has and no other one may see: no request of another has it in its text. */
export const MARK = 'known-to-the-owner-only'

/** Names of what a tenant has, each a full name and a UUID where there are both. */
export type Things = Readonly<Record<Kind, readonly string[]>>

type Headers = Readonly<Record<string, string | readonly string[]>>

/** The whole daemon in this process, with its control address, for tenants that do not trust each other. */
export class TenantNode {
  readonly tarball = archiveOf('file.txt', 'of everybody')
  #count = 0
  readonly #agent: Agent

  private constructor(
    readonly daemon: DaemonInProcess,
    private readonly directory: string,
    private readonly port: number,
    ca: Buffer,
  ) {
    this.#agent = new Agent({ keepAlive: true, ca, maxSockets: 4 })
  }

  static async start(): Promise<TenantNode> {
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-tenants-'))
    const authority = await Authority.make(directory)
    const [{ certificate, key }, port] = await Promise.all([authority.issue('host'), freePort()])
    const daemon = await DaemonInProcess.start({
      controlAddress: `127.0.0.1:${port}`,
      tlsCertificate: certificate,
      tlsKey: key,
      maxKept: '1000',
      concurrency: '4',
    })
    const node = new TenantNode(daemon, directory, port, await readFile(authority.certificate))
    daemon.isolation.stagers.set('./stage', async ({ url, print, cache }) => {
      cache.set('of', MARK)
      await print(MARK)
      await call(
        url,
        'PUT /meta',
        new URLSearchParams({ resource: 'environment', action: 'add', key: 'B', value: MARK }),
      )
      await call(url, 'POST /done')
    })
    daemon.isolation.stagers.set('./fail', async ({ url, print, writeFile }) => {
      writeFile('/kept', MARK)
      await print(MARK)
      await call(url, 'POST /failed')
    })
    daemon.isolation.stagers.set('./serve', async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    return node
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    await this.daemon.close()
    await rm(this.directory, { recursive: true })
  }

  name(): string {
    this.#count += 1
    return `n${this.#count}`
  }

  /** A tarball with a file of this content. */
  archive(content: string): Buffer {
    return archiveOf('file.txt', content)
  }

  /** As the administrator, over the control socket. Throws unless the answer is 2xx. */
  async make<T = Record<string, string>>(method: Sent['method'], url: string, body?: unknown): Promise<T> {
    const options = { socketPath: this.daemon.socket, path: url, method }
    const { status, text } = await answerTo((receive) => httpRequest(options, receive), body)
    if (status < 200 || status > 299) throw new Error(`${method} ${url}: ${status} ${text}`)
    return (text === '' ? {} : JSON.parse(text)) as T
  }

  /** Over the control address. */
  async ask({ method, url, body }: Sent, headers: Headers): Promise<Answered> {
    const options = { host: '127.0.0.1', port: this.port, path: url, method, agent: this.#agent, headers }
    return await answerTo((receive) => httpsRequest(options as object, receive), body)
  }

  /** As the holder of a token. */
  asTenant(token: string, sent: Sent): Promise<Answered> {
    return this.ask(sent, { authorization: `Bearer ${token}` })
  }

  async token(access: 'read' | 'write', namespace: string): Promise<string> {
    const made = await this.make('POST', '/v1/tokens', { name: this.name(), access, namespaces: [namespace] })
    return made.token ?? ''
  }

  async upload(namespace: string, tarball = this.tarball): Promise<string> {
    return (await this.make(`POST`, `/v1/resources?namespace=${namespace}`, tarball)).sha256 ?? ''
  }

  /** A package, a stager, a pipeline and data, without marks. */
  async own(namespace: string): Promise<Own> {
    const data = await this.upload(namespace)
    const [name, stager] = [this.name(), this.name()]
    const refs = {
      package: `package::${namespace}::${name}`,
      stager: `job::${namespace}::${stager}`,
      pipeline: `stagpipe::${namespace}::${stager}`,
    }
    const provides = [{ type: 'os', name }]
    await this.make('POST', '/v1/packages', { namespace, name, resource: data, state: 'ready', provides })
    await this.#stager(namespace, stager, { package: refs.package })
    const url = `/v1/exchange?package=${encodeURIComponent(refs.package)}`
    const exported = await bytesOf(this.daemon.socket, url)
    const bare = await zipOf([['PACKAGE_RESOURCE_0001.tar.gz', this.tarball]])
    return { ...refs, namespace, data, tarball: this.tarball, exported, bare, name: () => this.name() }
  }

  /**
   * All kinds of things of a tenant, with marks in them.
   *
   * @param needed the kinds of which there must be one; a staging has failed, and is kept
   */
  async things(namespace: string, needed: readonly Kind[] = ['package', 'staging', 'run']): Promise<Things> {
    const data = await this.upload(namespace, archiveOf(MARK, `${MARK} ${this.name()}`))
    const name = this.name()
    const made = await this.make('POST', '/v1/packages', {
      ...{ namespace, name, resource: data, state: 'ready', description: MARK, provides: [{ type: 'os', name }] },
      ...{ environment: { A: MARK }, version: MARK },
    })
    const fqn = `package::${namespace}::${name}`
    const stager = await this.#stager(namespace, this.name(), { package: fqn, environment: { S: MARK } })
    // For results and caches.
    if (needed.includes('package')) await this.stage({ package: fqn, pipeline: stager.pipeline })
    // Later: what a launch with secrets leaves is not kept.
    await this.make('PUT', `/v1/stagers/${stager.uuid}/secrets/TOKEN`, { value: Buffer.from(MARK).toString('base64') })
    const webhook = await this.make('POST', '/v1/webhooks', {
      ...{ namespace, url: `https://hooks.example.org/${MARK}` },
      // Of nothing that happens here: there is no such host.
      on: ['cancelled'],
    })
    const pipeline = `stagpipe::${namespace}::${stager.name}`
    return {
      package: [fqn, made.uuid ?? ''],
      job: [`job::${namespace}::${stager.name}`, stager.uuid],
      stagpipe: [pipeline, stager.pipeline],
      staging: needed.includes('staging') ? [await this.#keptStaging(namespace, fqn)] : [],
      run: needed.includes('run') ? [await this.#run(fqn)] : [],
      webhook: [webhook.uuid ?? ''],
      resource: [data],
      namespace: [namespace],
    }
  }

  /** Resolves with its UUID, after its end. */
  async stage(draft: StagingDraft): Promise<string> {
    const { uuid = '' } = await this.make('POST', '/v1/stagings', draft)
    await vi.waitUntil(
      async () => !['queued', 'running'].includes((await this.make('GET', `/v1/stagings/${uuid}`)).state ?? ''),
      {
        timeout: 15_000,
        interval: 5,
      },
    )
    return uuid
  }

  /** What a namespace has, as its owner sees it. */
  async stateOf(namespace: string): Promise<Record<string, string>> {
    const lists = ['packages', 'stagers', 'stagingpipelines', 'stagings', 'webhooks', 'stager-caches']
    const all = lists.map(async (list): Promise<[string, string]> => {
      const shown = await this.make<readonly object[]>('GET', `/v1/${list}`)
      return [
        list,
        shown
          .map((one) => JSON.stringify(one, WITHOUT_TIMES))
          .filter((one) => one.includes(namespace))
          .join('\n'),
      ]
    })
    return {
      ...Object.fromEntries(await Promise.all(all)),
      containers: [...this.daemon.isolation.left].sort().join(' '),
    }
  }

  async #stager(
    namespace: string,
    name: string,
    more: { package: string; start_command?: string; environment?: object },
  ) {
    const draft = { namespace, name, start_command: './stage', ...more }
    const stager = await this.make('POST', '/v1/stagers', draft)
    const pipeline = await this.make('POST', '/v1/stagingpipelines', { namespace, name, stagers: [stager.uuid] })
    return { name, uuid: stager.uuid ?? '', pipeline: pipeline.uuid ?? '' }
  }

  async #keptStaging(namespace: string, ref: string): Promise<string> {
    const { pipeline } = await this.#stager(namespace, this.name(), { package: ref, start_command: './fail' })
    return await this.stage({ package: ref, pipeline, keep_failed_seconds: 3600 })
  }

  /** It runs until the daemon ends. */
  async #run(ref: string): Promise<string> {
    const body = JSON.stringify({ package: ref, command: './serve', input: true })
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const options = { socketPath: this.daemon.socket, path: '/v1/runs', method: 'POST', headers }
    return await new Promise((resolve, reject) => {
      const sent = httpRequest(options, (answer) => {
        answer.on('error', () => undefined)
        answer.once('data', (first: Buffer) => resolve((JSON.parse(first.toString()) as { run: string }).run))
      })
      sent.on('error', reject).end(body)
    })
  }
}

function archiveOf(name: string, content: string): Buffer {
  return gzipSync(tarOf({ name, data: content }))
}

/** The fake isolation says of its caches that they were used just now. */
const WITHOUT_TIMES = (key: string, value: unknown) => (key === 'used_at' ? undefined : value)

type Send = (receive: (answer: IncomingMessage) => void) => ReturnType<typeof httpRequest>

/** A stream that lasts is left after its first piece. */
function answerTo(send: Send, body: unknown): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = send((answer) => {
      const pieces: Buffer[] = []
      const isStream = /event-stream|ndjson/.test(answer.headers['content-type'] ?? '')
      const done = () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(pieces).toString('latin1') })
      answer.on('data', (piece: Buffer) => {
        pieces.push(piece)
        if (!isStream) return
        done()
        answer.destroy()
      })
      answer.on('end', done).on('error', done)
    })
    sent.on('error', reject)
    if (body !== undefined)
      sent.setHeader('content-type', Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json')
    sent.end(body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body))
  })
}

function bytesOf(socketPath: string, url: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath, path: url }, (answer) => {
      void answer.toArray().then((pieces) => resolve(Buffer.concat(pieces as Buffer[])), reject)
    })
    sent.on('error', reject).end()
  })
}
