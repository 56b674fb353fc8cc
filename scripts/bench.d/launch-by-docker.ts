import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { execa } from 'execa'

export interface DockerLaunch {
  readonly image: string
  /** Command for `/bin/sh -c`. */
  readonly command: string
  /** The limits of the stager. */
  readonly limits: { readonly memory: string; readonly cpus: string; readonly pids: string }
  /** Labels (`KEY=value`) by which the scripts find leftovers of an interrupted run. */
  readonly labels: readonly string[]
}

/** Part of the range for benchmarks (RFC 2544) that the default pool of the daemon does not contain. */
const PREFIX = '198.19.0'

/**
 * Runs the same container with the docker client: creates an internal network, runs a program that posts its verdict to
 * a server on the gateway, and removes everything.
 *
 * @returns milliseconds
 */
export async function launchOnceByDocker(launch: DockerLaunch, turn: number): Promise<number> {
  const { network, subnet, gateway } = addressesOf(turn)
  const verdicts: string[] = []
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      verdicts.push(request.url ?? '')
      response.end('OK')
    })
  })

  const labels = launch.labels.flatMap((label) => ['--label', label])
  const began = performance.now()
  await docker('network', 'create', '--internal', ...labels, '--subnet', subnet, '--gateway', gateway, network)
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
  const duration = performance.now() - began
  if (verdicts.join() !== `/${network}/done`) throw new Error(`the container posted ${verdicts.join() || 'nothing'}`)
  return duration
}

/** Of the network of a turn: others run at the same time. */
export function addressesOf(turn: number): {
  readonly network: string
  readonly subnet: string
  readonly gateway: string
} {
  const base = (turn * 16) % 256
  const network = `stagerd-bench-${process.pid}-${turn}`
  return { network, subnet: `${PREFIX}.${base}/28`, gateway: `${PREFIX}.${base + 1}` }
}

export async function docker(...args: string[]): Promise<string> {
  return (await execa('docker', args)).stdout
}
