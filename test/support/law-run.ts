/**
 * The number of runs of a property test, and its seed. A failing run prints seed and path, which repeat only that run:
 *
 *     SNAPSHOT_LAW_SEED=-1234 SNAPSHOT_LAW_PATH=17:3:0 npx vitest run --project engine FILE
 *
 * `SNAPSHOT_LAW_RUNS` sets the number of runs; see ./scripts/soak.
 */
export function lawRun({ runs, msPerRun }: { readonly runs: number; readonly msPerRun: number }): LawRun {
  const { SNAPSHOT_LAW_RUNS, SNAPSHOT_LAW_SEED, SNAPSHOT_LAW_PATH } = process.env
  const numRuns = SNAPSHOT_LAW_PATH === undefined ? Number(SNAPSHOT_LAW_RUNS ?? runs) : 1
  return {
    parameters: {
      numRuns,
      ...(SNAPSHOT_LAW_SEED === undefined ? {} : { seed: Number(SNAPSHOT_LAW_SEED) }),
      ...(SNAPSHOT_LAW_PATH === undefined ? {} : { path: SNAPSHOT_LAW_PATH }),
    },
    timeout: 300_000 + 2 * numRuns * msPerRun,
  }
}

export interface LawRun {
  /** Parameters of `fc.assert`. */
  readonly parameters: { readonly numRuns: number; readonly seed?: number; readonly path?: string }
  /** Timeout of the test, in milliseconds: enough for all runs on a busy host, and for shrinking. */
  readonly timeout: number
}
