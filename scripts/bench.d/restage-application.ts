import { appendFile, copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Package } from '../../daemon/documents/package.js'
import type { Resolution } from '../../daemon/documents/resolution.js'
import type { BenchHost } from './host.js'
import { interleave } from './interleave.js'
import { docker } from './launch-by-docker.js'
import { rowOf, type Row } from './row.js'

const NAMESPACE = '/bench'
const PIPELINE = '/apcera::nodejs'

/** The dependencies are installed before the sources are copied, so that the builder has them in a layer. */
const DOCKERFILE = (base: string) => `FROM ${base}
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY . .
ENV NODE_ENV=production
CMD ["npm", "start"]
`

/**
 * The Node.js application of the demo: staged, and built by `docker build` on an image of the same packages. Both begin
 * with the process of their client, and get what they need from the same registry.
 */
export async function benchRestageApplication(
  host: Pick<BenchHost, 'root' | 'socket' | 'work' | 'pairs'>,
): Promise<Row[]> {
  const source = join(host.work, 'node-web')
  await cp(join(host.root, 'examples/apps/node-web'), source, { recursive: true })
  const env = {
    STAGERD_SOCKET: host.socket,
    XDG_CACHE_HOME: join(host.work, 'node-web-cache'),
    // For the registry. Node.js 20 reads it at each start, and the client of a socket needs no certificates.
    NODE_EXTRA_CA_CERTS: undefined,
  }
  const stagectl = async (...args: string[]) => (await execa(join(host.root, 'bin/stagectl'), args, { env })).stdout
  const labels = ['--label', `io.stagerd.install=${host.root}`, '--label', `io.stagerd.bench=${host.work}`]
  const images = new Set<string>()
  let turn = 0

  await stagectl('bootstrap', 'nodejs')
  const stage = async (name: string, expected = 'Uploading the application') => {
    const began = performance.now()
    const log = await stagectl('stage', source, '--name', `${NAMESPACE}::${name}`, '--pipeline', PIPELINE)
    const duration = performance.now() - began
    if (!log.includes(expected)) throw new Error(`the log of the staging lacks "${expected}":\n${log}`)
    return duration
  }
  const build = async (image: string, ...options: string[]) => {
    images.add(image)
    const began = performance.now()
    await docker('build', '--quiet', ...labels, ...options, '--tag', image, source)
    return performance.now() - began
  }
  const change = () => appendFile(join(source, 'app.js'), `// change ${++turn}\n`)

  try {
    await stage('node-web')
    const base = await baseOf(`${NAMESPACE}::node-web`, {
      stagectl,
      labels,
      directory: join(host.work, 'node-web-base'),
    })
    images.add(base)
    await writeFile(join(source, 'Dockerfile'), DOCKERFILE(base))
    await writeFile(join(source, '.dockerignore'), 'Dockerfile\n.dockerignore\n')
    const first = await interleave(host.pairs, {
      // The same source would be answered from the result of another package.
      ours: async () => {
        await change()
        return await stage(`node-web-first-${turn}`)
      },
      other: () => build(`stagerd-bench-first-${process.pid}`, '--no-cache'),
    })
    const kept = `stagerd-bench-kept-${process.pid}`
    await build(kept)
    const changed = await interleave(host.pairs, {
      ours: async () => {
        await change()
        return await stage('node-web')
      },
      other: async () => {
        await change()
        return await build(kept)
      },
    })
    // The last of the pairs may have staged what is there.
    await change()
    await stage('node-web')
    await build(kept)
    const unchanged = await interleave(host.pairs, {
      ours: () => stage('node-web', 'Reused the result'),
      other: () => build(kept),
    })
    return [
      rowOf({ work: 'first staging of node-web', beside: 'docker build', target: 1.2, unit: 'ms' }, pairsOf(first)),
      rowOf(
        { work: 'node-web after one changed line', beside: 'docker build', target: 2, unit: 'ms' },
        pairsOf(changed),
      ),
      rowOf({ work: 'node-web, nothing changed', beside: 'docker build', target: 1, unit: 'ms' }, pairsOf(unchanged)),
    ]
  } finally {
    for (const image of images) await docker('image', 'rm', '--force', image)
    await rm(source, { recursive: true })
  }
}

interface Tools {
  readonly stagectl: (...args: string[]) => Promise<string>
  readonly labels: readonly string[]
  readonly directory: string
}

/** An image of the packages that the application was staged on. */
async function baseOf(fqn: string, { stagectl, labels, directory }: Tools): Promise<string> {
  await mkdir(directory, { recursive: true })
  const { packages } = JSON.parse(await stagectl('package', 'resolve', fqn, '--json')) as Resolution
  const lines = ['FROM scratch']
  let path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  for (const [index, layer] of packages.entries()) {
    if (layer.fqn === `package::${fqn}`) continue
    await stagectl('package', 'download', layer.fqn, '--file', join(directory, `${index}.tar.gz`))
    lines.push(`ADD ${index}.tar.gz /`)
    const { environment } = JSON.parse(await stagectl('package', 'show', layer.fqn, '--json')) as Package
    if (environment.PATH) path = environment.PATH.replaceAll('$PATH', path)
  }
  lines.push(`ENV PATH=${path}`)
  const bundle = process.env.NODE_EXTRA_CA_CERTS
  if (bundle) {
    await copyFile(bundle, join(directory, 'ca.pem'))
    lines.push('ADD ca.pem /etc/bench-ca.pem', 'ENV NODE_EXTRA_CA_CERTS=/etc/bench-ca.pem')
  }
  await writeFile(join(directory, 'Dockerfile'), `${lines.join('\n')}\n`)
  const image = `stagerd-bench-base-${process.pid}`
  await docker('build', '--quiet', ...labels, '--tag', image, directory)
  await rm(directory, { recursive: true })
  return image
}

function pairsOf({ ours, other }: Record<'ours' | 'other', readonly number[]>) {
  return ours.map((mine, index) => ({ ours: mine, other: other[index] ?? Number.NaN }))
}
