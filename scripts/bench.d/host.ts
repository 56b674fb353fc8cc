import { UnixHttp } from './unix-http.js'

/** What scripts/bench has prepared for a benchmark. */
export interface BenchHost {
  /** Directory of the checkout. */
  readonly root: string
  /** Control socket of a stagerd that does nothing else. */
  readonly socket: string
  /** Its log, at level debug. */
  readonly log: string
  readonly daemonPid: number
  /** A directory for files, removed afterwards. */
  readonly work: string
  /** How many pairs are measured. */
  readonly pairs: number
}

/** The Engine that the daemon talks to. */
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
  if (value === undefined || value === '') throw new Error(`${name} is not set: run this by ./scripts/bench.`)
  return value
}
