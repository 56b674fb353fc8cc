import { rowOf, type Row } from './row.js'

/** What each commit measured in one round, beside tools that do not count here. */
export interface Round {
  readonly ours: readonly Row[]
  readonly other: readonly Row[]
}

export interface Comparison {
  /** One for each work that both commits measured. */
  readonly rows: readonly Row[]
  /** Works that only one of the commits measured. */
  readonly unmatched: readonly string[]
}

/** Two commits beside each other: each round is a pair, and a work is known by its name and its unit. */
export function rowsOfRounds(
  rounds: readonly Round[],
  { beside, allowance }: { readonly beside: string; readonly allowance: number },
): Comparison {
  const works = new Map<string, Pick<Row, 'work' | 'unit'>>()
  for (const row of rounds.flatMap(({ ours, other }) => [...ours, ...other])) works.set(keyOf(row), row)

  const rows: Row[] = []
  const unmatched: string[] = []
  for (const [key, { work, unit }] of works) {
    const pairs = rounds.flatMap(({ ours, other }) => {
      // A work that is held beside several tools has a row for each of them, and the same figure in all.
      const mine = ours.find((row) => keyOf(row) === key)
      const theirs = other.find((row) => keyOf(row) === key)
      return mine && theirs ? [{ ours: mine.ours, other: theirs.ours }] : []
    })
    if (pairs.length === 0) unmatched.push(work)
    else rows.push(rowOf({ work, beside, target: allowance, unit }, pairs))
  }
  return { rows, unmatched: [...new Set(unmatched)] }
}

function keyOf({ work, unit }: Pick<Row, 'work' | 'unit'>): string {
  return JSON.stringify([work, unit])
}
