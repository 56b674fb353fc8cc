import { createHash } from 'node:crypto'
import { pino, type Logger } from 'pino'
import { Agent, request } from 'undici'
import { Daemon } from '../../../daemon/lifecycle.js'
import { loadSettings } from '../../../daemon/settings/load-settings.js'
import { FakeIsolation, type FakeContext } from '../fake-isolation.js'
import { archiveOf } from './archives.js'

/** What the stager of the workload says, and what is in the packages that it has made. */
export const BUILT = 'app/built'

/** The queue of the daemon tries again so soon after an error. */
const QUEUE_RETRY_MS = 20

/** The whole daemon, as it is started, but for the isolation, which is a fake. Needs root, and no Engine. */
export async function openEngineless(
  {
    stateDir,
    socket,
    ...more
  }: { readonly stateDir: string; readonly socket: string } & Readonly<Record<string, string>>,
  logger: Logger = pino({ level: 'silent' }),
): Promise<{ readonly daemon: Daemon; readonly isolation: FakeIsolation }> {
  const isolation = new FakeIsolation()
  isolation.stagers.set('./build', build)
  isolation.stagers.set('./accept', accept)
  const settings = await loadSettings({
    flags: { stateDir, socket, compressor: 'zlib', ...more },
    environment: {},
    file: '/nonexistent',
    fileIsRequired: false,
    workingDirectory: '/',
  })
  const daemon = await Daemon.open(settings, {
    version: '1.2.3',
    logger,
    environment: {},
    buildIsolation: () => Promise.resolve(isolation),
    queueRetryMs: QUEUE_RETRY_MS,
  })
  return { daemon, isolation }
}

/** It is content with everything. */
async function accept({ url }: FakeContext): Promise<void> {
  await fetch(`${url}/done`, { method: 'POST' })
}

/** It reads its package, replaces its data, takes a snapshot and says that it is done: each as its user would. */
async function build({ url, print, writeFile }: FakeContext): Promise<void> {
  const ask = async (method: string, operation: string, body?: Buffer) => {
    const response = await fetch(`${url}${operation}`, { method, ...(body ? { body: new Uint8Array(body) } : {}) })
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status !== 200) throw new Error(`${operation}: ${response.status} ${bytes.toString()}`)
    return bytes
  }
  await print('reading')
  const data = await ask('GET', '/data')
  const half = await archiveOf({ 'app/half': data.length.toString() })
  await ask('POST', `/data?sha256=${createHash('sha256').update(half).digest('hex')}`, half)
  writeFile(`/${BUILT}`, 'built')
  await ask('POST', '/snapshot?directory=/app')
  await print('done')
  await ask('POST', '/done')
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
  /** The code of a problem. */
  readonly code: string | undefined
  readonly document: unknown
}

/** Asks a daemon over its socket. */
export class SocketClient {
  readonly #agent: Agent

  constructor(socket: string) {
    this.#agent = new Agent({ connect: { socketPath: socket } })
  }

  /** @param body a document, or bytes */
  async call(method: string, url: string, body?: object | Buffer): Promise<Answer> {
    const isData = Buffer.isBuffer(body)
    const sent = body && {
      body: isData ? body : JSON.stringify(body),
      headers: { 'content-type': isData ? 'application/octet-stream' : 'application/json' },
    }
    const response = await request(`http://stagerd${url}`, {
      method: method as 'GET',
      dispatcher: this.#agent,
      ...sent,
    })
    const bytes = Buffer.from(await response.body.arrayBuffer())
    const type = String(response.headers['content-type'])
    const document: unknown = type.includes('json') ? JSON.parse(bytes.toString()) : undefined
    const code = (document as { readonly code?: string } | undefined)?.code
    return { status: response.statusCode, body: bytes, code, document }
  }

  async close(): Promise<void> {
    await this.#agent.close()
  }
}
