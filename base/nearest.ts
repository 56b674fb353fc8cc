/**
 * The candidate that `text` was probably meant to be: the one with the fewest edits, at most one for every three
 * characters, without regard to case, hyphens and underscores. Undefined if none is that near.
 */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  const plain = (name: string) => name.toLowerCase().replace(/[-_.\s]/g, '')
  const sought = plain(text).slice(0, 64)
  let best: { readonly candidate: string; readonly edits: number } | undefined
  for (const candidate of candidates) {
    const other = plain(candidate)
    const edits = editsBetween(sought, other)
    if (edits > Math.max(sought.length, other.length) / 3) continue
    if (!best || edits < best.edits) best = { candidate, edits }
  }
  return best?.candidate
}

/** Insertions, deletions, substitutions, and swaps of neighbours. */
function editsBetween(one: string, other: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row++) {
    const current = [row]
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1]
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return last[other.length] ?? 0
}
