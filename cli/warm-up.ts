import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Staging } from '../daemon/documents/staging.js'
import { stagectl } from './stagectl.js'
import { processIo } from './terminal/process-io.js'

/**
 * Runs what is run most often, so that the code cache has it: `stagectl stage` of a directory, for the first time and with
 * nothing changed. The build calls it. It prints nothing, and asks no daemon but its own, which knows one package.
 */
export async function warmUp(): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagectl-warm-up-'))
  const source = path.join(directory, 'source')
  const socket = path.join(directory, 'socket')
  const server = createServer((request, response) => {
    if (request.url === '/v1/stagings') response.setHeader('content-type', 'text/event-stream')
    void answer(request).then((body) => response.end(body))
  })
  const { now } = Date
  try {
    await mkdir(source)
    await writeFile(path.join(source, '.apcignore'), 'node_modules/\n')
    await writeFile(path.join(source, 'index.html'), 'Hello.')
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    let said = ''
    const listen = () =>
      new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          said += chunk.toString()
          done()
        },
      })
    const env = { HOME: directory, TMPDIR: directory, STAGERD_SOCKET: socket }
    const io = { ...processIo(), cwd: directory, env, stdout: listen(), stderr: listen() }
    // Files that have just been written are read again the next time, because they may have changed since.
    Date.now = () => now() + 60_000
    for (const argv of [['stage', '--help'], STAGE, STAGE])
      if ((await stagectl(argv, io)) !== 0)
        throw new Error(`stagectl ${argv.join(' ')} has failed in the warm-up: ${said}`)
    if (!said.includes('Read 0 of 2 files again'))
      throw new Error(`the warm-up has not found the source unchanged: ${said}`)
  } finally {
    Date.now = now
    server.close()
    await rm(directory, { recursive: true })
  }
}

const STAGE = ['stage', 'source', '--pipeline', 'any']

/** What the daemon says. The client does not look at anything else of its documents. */
async function answer(request: IncomingMessage): Promise<string> {
  const url = new URL(request.url ?? '/', 'http://stagerd')
  const { length } = await buffer(request)
  if (url.pathname.endsWith('/stagings')) return `id: 1\nevent: line\ndata: ${LINE}\n\nevent: end\ndata: ${STAGING}\n\n`
  if (url.pathname.endsWith('/stagers')) return '[]'
  if (url.pathname.endsWith('/resources')) {
    uploaded = JSON.stringify({ sha256: url.searchParams.get('sha256'), length })
    return uploaded
  }
  if (url.pathname.includes('/resources/')) return uploaded
  return JSON.stringify({ uuid: '1', fqn: 'any', state: 'ready', resource: {}, dependencies: [], environment: {} })
}

let uploaded = ''

const LINE = JSON.stringify({ seq: 1, time: '', stream: 'staging', text: 'Staging is complete.' })
const STAGING = JSON.stringify({
  uuid: '1',
  state: 'succeeded',
  package: 'any',
  submitted_at: '2024-05-01T10:00:00.000Z',
  ended_at: '2024-05-01T10:00:01.000Z',
} satisfies Partial<Staging>)
