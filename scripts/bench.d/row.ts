/** A row of the result: the same work done by stagerd and by another tool or commit. */
export interface Row {
  readonly work: string
  /** Median, in `unit`. */
  readonly ours: number
  /** The other tool or commit. */
  readonly beside: string
  /** Median, in `unit`. */
  readonly other: number
  /** Median of the ratios of the pairs, so that effects on both sides of a pair, such as a busy host, cancel out. */
  readonly ratio: number
  /** The upper limit of `ratio`, or, for a row of `limitRowOf`, of `ours`. */
  readonly target: number
  readonly unit: string
  readonly met: boolean
}

export interface Pair {
  readonly ours: number
  readonly other: number
}

export function rowOf(
  what: { readonly work: string; readonly beside: string; readonly target: number; readonly unit: string },
  pairs: readonly Pair[],
): Row {
  const ratio = round(median(pairs.map(({ ours, other }) => ours / other)), 3)
  return {
    work: what.work,
    ours: round(median(pairs.map(({ ours }) => ours)), 1),
    beside: what.beside,
    other: round(median(pairs.map(({ other }) => other)), 1),
    ratio,
    target: what.target,
    unit: what.unit,
    met: ratio <= what.target,
  }
}

/** A row with an absolute limit for `ours`. */
export function limitRowOf(
  what: { readonly work: string; readonly beside: string; readonly limit: number; readonly unit: string },
  pairs: readonly Pair[],
): Row {
  const { limit, ...rest } = what
  const row = rowOf({ ...rest, target: limit }, pairs)
  const ours = median(pairs.map((pair) => pair.ours))
  return {
    ...row,
    ours: round(ours, 2),
    ratio: round(median(pairs.map((pair) => pair.ours / pair.other)), 5),
    met: ours <= limit,
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  if (low === undefined || high === undefined) throw new RangeError('the median of an empty list is undefined')
  return (low + high) / 2
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
