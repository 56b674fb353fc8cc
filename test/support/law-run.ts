/**
 * The number of runs of a property test, and its seed. A failing run prints seed and path, which repeat only that run:
 *
 *     LAW_SEED=-1234 LAW_PATH=17:3:0 npx vitest run FILE
 *
 * `LAW_RUNS` sets the number of runs, see ./scripts/soak; `LAW_TIMEOUT_MS` the limit of time where programs are slow.
 */
export function lawRun({ runs, msPerRun }: { readonly runs: number; readonly msPerRun: number }): LawRun {
  const { LAW_RUNS, LAW_SEED, LAW_PATH, LAW_TIMEOUT_MS } = process.env
  const numRuns = LAW_PATH === undefined ? Number(LAW_RUNS ?? runs) : 1
  return {
    parameters: {
      numRuns,
      ...(LAW_SEED === undefined ? {} : { seed: Number(LAW_SEED) }),
      ...(LAW_PATH === undefined ? {} : { path: LAW_PATH }),
    },
    timeout: Number(LAW_TIMEOUT_MS ?? 300_000 + 2 * numRuns * msPerRun),
  }
}

/**
 * The same for runs of several trees. `LAW_RUNS` is the number of trees, rounded up. Shrinking ends before the test does,
 * so that it always prints what it has.
 *
 * @param trees by default
 */
export function treesLaw(of: { readonly trees: number; readonly atOnce: number; readonly msPerRun: number }): LawRun {
  const { parameters, timeout } = lawRun({ runs: of.trees, msPerRun: of.msPerRun / of.atOnce })
  const numRuns = Math.ceil(parameters.numRuns / of.atOnce)
  const interruptAfterTimeLimit = timeout - 60_000
  return { parameters: { ...parameters, numRuns, interruptAfterTimeLimit, markInterruptAsFailure: true }, timeout }
}

/** For so long a failure is shrunk where nobody asked for it: a failed `./scripts/test` is to say so soon. */
const SHRINKING_MS = 60_000

/**
 * The predicate of a property whose runs take seconds. After the first failure it goes on failing for a minute, and then
 * holds, which ends the shrinking. With `LAW_RUNS` or `LAW_PATH`, shrinking ends by itself.
 */
export function shrunkForAMinute<Args extends unknown[]>(
  predicate: (...args: Args) => Promise<void>,
  { LAW_RUNS, LAW_PATH } = process.env,
  now = () => performance.now(),
): (...args: Args) => Promise<void> {
  if (LAW_RUNS !== undefined || LAW_PATH !== undefined) return predicate
  let failed: number | undefined
  return async (...args) => {
    if (failed !== undefined && now() - failed > SHRINKING_MS) return
    try {
      await predicate(...args)
    } catch (error) {
      failed ??= now()
      throw error
    }
  }
}

export interface LawRun {
  /** Parameters of `fc.assert`. */
  readonly parameters: {
    readonly numRuns: number
    readonly seed?: number
    readonly path?: string
    readonly interruptAfterTimeLimit?: number
    readonly markInterruptAsFailure?: boolean
  }
  /** Timeout of the test, in milliseconds: enough for all runs on a busy host, and for shrinking. */
  readonly timeout: number
}
