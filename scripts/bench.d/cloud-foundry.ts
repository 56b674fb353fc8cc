import { connect } from '@nats-io/transport-node'
import { execa } from 'execa'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import { appendFile, cp, readdir, readFile, stat } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import yazl from 'yazl'
import { type BenchHost, required } from './host.js'
import { interleave } from './interleave.js'
import { rowOf, type Row } from './row.js'

const TARGET = 1.2
/** Of the daemon, with more than a staging takes. */
const DEADLINE_MS = 120_000

/**
 * A small Sinatra application, from the request over NATS to its reply, beside `stagectl stage` of the same source on the same
 * daemon. Each staging has another source, so that none is answered from an earlier one, and is of a new application: the stager
 * does less for a package that has its variables of the last time, which a request never has.
 *
 * scripts/bench has started nats-server, and made the pipeline `ruby`.
 */
export async function benchCloudFoundry(host: BenchHost, environment: NodeJS.ProcessEnv): Promise<Row[]> {
  const source = join(host.work, 'sinatra')
  await cp(join(host.root, 'examples/apps/ruby-sinatra'), source, { recursive: true })
  let changes = 0
  const change = () => appendFile(join(source, 'app.rb'), `# change ${++changes}\n`)

  let application = Buffer.alloc(0)
  const server = createServer((request, response: ServerResponse) => {
    if (request.method === 'GET') response.end(application)
    else request.resume().once('end', () => response.end('{}'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = await connect({ servers: [required(environment, 'BENCH_NATS')] })
  const properties = {
    ...{ services: [], framework_info: { name: 'sinatra' } },
    resources: { memory: 256, disk: 256, fds: 1024 },
  }
  try {
    const { ours, other } = await interleave(host.pairs, {
      ours: async () => {
        await change()
        application = await zipOf(source)
        const uris = { download_uri: `${url}/download`, upload_uri: `${url}/upload` }
        const request = JSON.stringify({ app_id: `sinatra-${changes}`, ...uris, properties })
        const began = performance.now()
        const answer = await client.request('staging', request, { timeout: DEADLINE_MS })
        const duration = performance.now() - began
        const { error, task_log: log } = answer.json<{ error?: string; task_log: string }>()
        if (error !== undefined) throw new Error(`a staging over NATS has failed: ${log}`)
        return duration
      },
      other: async () => {
        await change()
        const began = performance.now()
        const argv = ['stage', source, '--name', `/bench::sinatra-${changes}`, '--pipeline', '/apcera::ruby']
        await execa(join(host.root, 'bin/stagectl'), argv, { env: { STAGERD_SOCKET: host.socket } })
        return performance.now() - began
      },
    })
    const pairs = ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN }))
    const work = 'Sinatra application, from request to reply over NATS'
    return [rowOf({ work, beside: 'stagectl stage', target: TARGET, unit: 'ms' }, pairs)]
  } finally {
    await client.close()
    server.closeAllConnections()
    server.close()
  }
}

async function zipOf(directory: string): Promise<Buffer<ArrayBuffer>> {
  const zip = new yazl.ZipFile()
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    const file = join(directory, name)
    if ((await stat(file)).isFile()) zip.addBuffer(await readFile(file), name)
  }
  zip.end()
  return Buffer.from(await buffer(zip.outputStream))
}
