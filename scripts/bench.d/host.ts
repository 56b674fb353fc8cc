import { UnixHttp } from './unix-http.js'

/** The environment that scripts/bench prepares for a benchmark. */
export interface BenchHost {
  /** Root directory of the checkout. */
  readonly root: string
  /** Control socket of the private stagerd. */
  readonly socket: string
  /** Log file of the daemon, at level debug. */
  readonly log: string
  readonly daemonPid: number
  /** A temporary directory. */
  readonly work: string
  /** Number of pairs to measure. */
  readonly pairs: number
}

/** Connects to the Engine of the daemon. */
export function connectToEngine(): UnixHttp {
  return new UnixHttp((process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, ''))
}

export function benchHostOf(environment: NodeJS.ProcessEnv): BenchHost {
  return {
    root: required(environment, 'BENCH_ROOT'),
    socket: required(environment, 'STAGERD_SOCKET'),
    log: required(environment, 'BENCH_DAEMON_LOG'),
    daemonPid: Number(required(environment, 'BENCH_DAEMON_PID')),
    work: required(environment, 'BENCH_WORK'),
    pairs: pairsOf(environment),
  }
}

export function pairsOf(environment: NodeJS.ProcessEnv): number {
  return Number(environment.BENCH_PAIRS ?? 10)
}

export function required(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set: run ./scripts/bench instead.`)
  return value
}
