import { headOf } from '../../../base/shorten.js'

/**
 * Traces of a reason: all of these patterns must match, each some line of the output.
 *
 * The output is that of a stager, which may write it to keep the daemon busy. So a pattern needs time that is linear in
 * the length of a line: it begins with `^` and has one unlimited repetition at most, or has none.
 */
export type Trace = readonly [RegExp, ...RegExp[]]

/** Values of the named groups. They are text of the stager: a group admits only what can be repeated in a hint. */
export type Found = Readonly<Record<string, string>>

/** In UTF-16 units: longer lines are cut. */
const MAX_LENGTH = 2_000

/** Colours, and other sequences that a terminal does not show. */
const SEQUENCES = /\x1b\[[0-9;]{0,32}[A-Za-z]/g

/** The lines as rules see them: cut, without colours and indentation, and without those that say nothing. */
export function readableLines(lines: readonly string[]): string[] {
  return lines.map((line) => headOf(line, MAX_LENGTH).replace(SEQUENCES, '').trim()).filter((line) => line !== '')
}

/** Undefined if the trace is not there. The last line that matches a pattern counts: earlier ones may be of a retry. */
export function findTrace(trace: Trace, lines: readonly string[]): Found | undefined {
  const found: Record<string, string> = {}
  for (const pattern of trace) {
    const match = lastMatch(pattern, lines)
    if (!match) return undefined
    for (const [group, value] of Object.entries(match.groups ?? {})) if (value) found[group] = value
  }
  return found
}

function lastMatch(pattern: RegExp, lines: readonly string[]): RegExpExecArray | undefined {
  for (let at = lines.length - 1; at >= 0; at--) {
    const match = pattern.exec(lines[at] ?? '')
    if (match) return match
  }
  return undefined
}
