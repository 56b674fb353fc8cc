import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { execa } from 'execa'

export interface DockerLaunch {
  readonly image: string
  /** Given to the image's `/bin/sh -c`. */
  readonly command: string
  /** Same as the stager's. */
  readonly limits: { readonly memory: string; readonly cpus: string; readonly pids: string }
  /** `KEY=value` each, by which the scripts find what an interrupted run leaves. */
  readonly labels: readonly string[]
}

/** The range of addresses that is set aside for benchmarks, beyond the daemon's pool. */
const PREFIX = '198.19.0'

/**
 * The same container by the docker client: a network of its own without a way out, a program that posts its verdict to
 * a server on the network's gateway, and everything removed.
 *
 * @returns milliseconds
 */
export async function launchOnceByDocker(launch: DockerLaunch, turn: number): Promise<number> {
  const network = `stagerd-bench-${process.pid}-${turn}`
  const base = (turn * 16) % 256
  const gateway = `${PREFIX}.${base + 1}`
  const verdicts: string[] = []
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      verdicts.push(request.url ?? '')
      response.end('OK')
    })
  })

  const labels = launch.labels.flatMap((label) => ['--label', label])
  const began = performance.now()
  await docker(
    ...['network', 'create', '--internal', ...labels],
    ...['--subnet', `${PREFIX}.${base}/28`, '--gateway', gateway, network],
  )
  try {
    server.listen(0, gateway)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await docker(
      ...['run', '--rm', '--network', network, ...labels, '--user', 'runner', '--workdir', '/app'],
      ...['--memory', launch.limits.memory, '--cpus', launch.limits.cpus, '--pids-limit', launch.limits.pids],
      ...['--env', `STAGER_URL=http://${gateway}:${port}/${network}`],
      ...[launch.image, '/bin/sh', '-c', launch.command],
    )
  } finally {
    server.close()
    await docker('network', 'rm', network)
  }
  const took = performance.now() - began
  if (verdicts.join() !== `/${network}/done`) throw new Error(`the container posted ${verdicts.join() || 'nothing'}`)
  return took
}

export async function docker(...args: string[]): Promise<string> {
  return (await execa('docker', args)).stdout
}
