import { rowOf, type Row } from './row.js'

/** The rows of both commits in one round. Their figures for other tools are not used. */
export interface Round {
  readonly ours: readonly Row[]
  readonly other: readonly Row[]
}

export interface Comparison {
  /** A row for each work that both commits measured. */
  readonly rows: readonly Row[]
  /** Works that only one of the commits measured. */
  readonly unmatched: readonly string[]
}

/** Compares two commits. Each round gives a pair for each work, which is identified by its name and its unit. */
export function compareRounds(
  rounds: readonly Round[],
  { beside, allowance }: { readonly beside: string; readonly allowance: number },
): Comparison {
  const works = new Map<string, Pick<Row, 'work' | 'unit'>>()
  for (const row of rounds.flatMap(({ ours, other }) => [...ours, ...other])) works.set(keyOf(row), row)

  const rows: Row[] = []
  const unmatched: string[] = []
  for (const [key, { work, unit }] of works) {
    const pairs = rounds.flatMap(({ ours, other }) => {
      // A work that is compared with several tools has a row for each of them, all with the same figure.
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
