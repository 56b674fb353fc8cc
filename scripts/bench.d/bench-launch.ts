import { execa } from 'execa'
import type { Package } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Stager } from '../../daemon/documents/stager.js'
import type { BenchHost } from './host.js'
import { docker, type DockerLaunch } from './launch-by-docker.js'
import type { UnixHttp } from './unix-http.js'

/** The path in the control API of what scripts/bench has created in the namespace /bench. */
export function benchPath(collection: string, kind: string, name: string): string {
  return `/v1/${collection}/${encodeURIComponent(`${kind}::/bench::${name}`)}`
}

/** What to submit for a staging. */
export interface StagingDraft {
  readonly package: string
  readonly pipeline: string
  readonly reuse: false
}

/** A staging of the package `bench-subject` through a pipeline. No earlier result answers it. */
export async function benchStaging(api: UnixHttp, pipeline: string): Promise<StagingDraft> {
  const subject = await api.get<Package>(benchPath('packages', 'package', 'bench-subject'))
  const { uuid } = await api.get<Pipeline>(benchPath('stagingpipelines', 'stagpipe', pipeline))
  return { package: subject.uuid, pipeline: uuid, reuse: false }
}

/** What the docker client is to run for the same. The caller removes the image. */
export async function dockerLaunchOf({ root, work }: BenchHost, stager: Stager): Promise<DockerLaunch> {
  const { stdout: tarball } = await execa(`${root}/images/build`, ['busybox'])
  // ./scripts/clean finds leftovers by the first label, the end of this run by the second.
  const labels = [`io.stagerd.install=${root}`, `io.stagerd.bench=${work}`]
  return {
    image: await docker('import', ...labels.flatMap((label) => ['--change', `LABEL ${label}`]), tarball),
    command: stager.start_command,
    limits: {
      memory: `${stager.limits.memory_bytes}b`,
      cpus: String(stager.limits.cpus),
      pids: String(stager.limits.pids),
    },
    labels,
  }
}
