import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { BenchHost } from './host.js'
import { interleave } from './interleave.js'
import { createSmallFiles } from './pack-sources.js'
import { rowOf, type Row } from './row.js'
import { UnixHttp } from './unix-http.js'

const PACKAGE = { namespace: '/bench', name: 'restage' }
const FQN = `package::${PACKAGE.namespace}::${PACKAGE.name}`
const CHANGED = 'module-40/part-5/file-24300.js'

/**
 * The upload of a source of which one file has changed since the last one, from the start of the process to the 201. The
 * other side uploads all of it after such a change, because its index of the source is gone.
 */
export async function benchRestage(host: Pick<BenchHost, 'root' | 'socket' | 'work' | 'pairs'>): Promise<Row[]> {
  const api = new UnixHttp(host.socket)
  const source = createSmallFiles(join(host.work, 'restage'))
  const cache = join(host.work, 'restage-cache')
  let changes = 0

  const upload = async () => {
    const script = join(host.root, 'dist/scripts/bench.d/upload-once.js')
    const env = { STAGERD_SOCKET: host.socket, XDG_CACHE_HOME: cache, TMPDIR: host.work }
    return (await execa(process.execPath, [script, source, FQN], { env })).stdout
  }
  const timed = async () => {
    await writeFile(join(source, CHANGED), `change ${++changes}\n`)
    const began = performance.now()
    const resource = await upload()
    const duration = performance.now() - began
    // The package keeps it, as a staging does, for the next upload.
    const answer = await api.open('PUT', `/v1/packages/${encodeURIComponent(FQN)}/resource`, { resource })
    answer.resume()
    return duration
  }
  try {
    await api.post('/v1/packages', { ...PACKAGE, resource: await upload() })
    const { ours, other } = await interleave(host.pairs, {
      ours: timed,
      other: async () => {
        await rm(cache, { recursive: true, force: true })
        return await timed()
      },
    })
    const pairs = ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN }))
    const work = 'one file of 51 000 changed, until 201'
    return [rowOf({ work, beside: 'upload of all', target: 0.25, unit: 'ms' }, pairs)]
  } finally {
    await rm(source, { recursive: true })
  }
}
