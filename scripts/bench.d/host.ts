/** What scripts/bench has prepared for a benchmark. */
export interface BenchHost {
  /** Directory of the checkout. */
  readonly root: string
  /** Control socket of a stagerd that does nothing else. */
  readonly socket: string
  /** Its log, at level debug. */
  readonly log: string
  /** How many pairs are measured. */
  readonly pairs: number
}

export function benchHostOf(environment: NodeJS.ProcessEnv): BenchHost {
  return {
    root: required(environment, 'BENCH_ROOT'),
    socket: required(environment, 'STAGERD_SOCKET'),
    log: required(environment, 'BENCH_DAEMON_LOG'),
    pairs: Number(environment.BENCH_PAIRS ?? 10),
  }
}

function required(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set: run this by ./scripts/bench.`)
  return value
}
