import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Writable, type Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { InjectOptions } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { SOCKET } from '../../../daemon/access/caller.js'
import type { Callers } from '../../../daemon/access/callers.js'
import type { Target } from '../../../daemon/api/access.js'
import type { Api, Routes } from '../../../daemon/api/fastify.js'
import { buildServer } from '../../../daemon/api/server.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

export interface Answer<Document> {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly document: Document
}

/** Asks an API, with or without a connection. */
export class ApiClient {
  constructor(
    readonly api: Api,
    readonly directory: Awaited<ReturnType<typeof temporaryDirectory>>,
  ) {}

  async close(): Promise<void> {
    await this.api.close()
    await this.directory.remove()
  }

  async ask<Document = Record<string, unknown>>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Document>> {
    const options: InjectOptions = { method, url, headers }
    if (body !== undefined) options.payload = body as object
    const { statusCode, headers: answered, body: payload } = await this.api.inject(options)
    return {
      status: statusCode,
      headers: answered,
      document: (payload === '' ? undefined : parse(payload)) as Document,
    }
  }

  /** The answer to bytes that need not be HTTP. */
  async raw(bytes: string): Promise<string> {
    const socket = connect(await this.listen())
    // The daemon may close it after its answer, with bytes that are still on their way.
    socket.on('error', () => undefined)
    socket.end(bytes)
    return await text(socket)
  }

  /** The path of the socket, on which it listens from now on. */
  async listen(): Promise<string> {
    const socketPath = join(this.directory.path, 'api.sock')
    if (!this.api.server.listening) await this.api.listen({ path: socketPath })
    return socketPath
  }

  /** A real connection, for what streams. */
  async connect(
    method: string,
    path: string,
    headers: Record<string, string | number> = {},
  ): Promise<{ readonly request: ClientRequest; readonly answer: Promise<IncomingMessage> }> {
    const socketPath = await this.listen()
    const request = httpRequest({ socketPath, method, path, headers })
    const answer = new Promise<IncomingMessage>((resolve, reject) =>
      request.on('response', resolve).on('error', reject),
    )
    // A test that ends the connection itself does not wait for the answer.
    answer.catch(() => undefined)
    return { request, answer }
  }
}

/** Everybody who asks is an administrator. */
export const ALL_TRUSTED: Callers = { of: () => Promise.resolve(SOCKET), passedOn: () => undefined }

/** A node without others. */
const ALONE = {
  homes: { self: 'this-node', of: () => Promise.resolve(undefined) },
  nodes: { get: () => Promise.reject(new Error('there is no other node')) },
  peers: { ask: () => Promise.reject(new Error('there is no other node')) },
}

/** For a server whose routes are about nothing that is stored. */
export const UNGUARDED = {
  callers: ALL_TRUSTED,
  passOn: ALONE,
  places: { visible: ({ ref }: Target) => Promise.resolve({ name: ref, namespaces: [] }) },
}

/** An API with these routes and no others. */
export async function openRoutes(...routes: readonly Routes[]): Promise<ApiClient> {
  const api = buildServer({ logger: logTo([]), registry: new Registry(), ...UNGUARDED, routes })
  return new ApiClient(api, await temporaryDirectory())
}

/** A logger that adds its lines to `lines`. */
export function logTo(lines: string[]) {
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  return pino({ level: 'info' }, sink)
}

export async function documentOf(answer: IncomingMessage): Promise<Record<string, unknown>> {
  return JSON.parse(await text(answer as Readable)) as Record<string, unknown>
}

export const bytesOf = (answer: IncomingMessage) => buffer(answer as Readable)

/** Polls; there is nothing to sleep for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return payload
  }
}
