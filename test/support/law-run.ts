/**
 * How often a law is tried, and with what. A failing run prints seed and path; with them it is tried again, and nothing
 * else:
 *
 *     SNAPSHOT_LAW_SEED=-1234 SNAPSHOT_LAW_PATH=17:3:0 npx vitest run --project engine FILE
 *
 * `SNAPSHOT_LAW_RUNS` tries more, or fewer: ./scripts/soak.
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
  /** Of `fc.assert`. */
  readonly parameters: { readonly numRuns: number; readonly seed?: number; readonly path?: string }
  /** Of the test, in milliseconds: all runs on a busy host, and time to shrink. */
  readonly timeout: number
}
