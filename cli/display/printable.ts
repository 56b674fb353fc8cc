/** Matches SGR sequences (colours and text styles, which are harmless) and control characters. */
const COLOUR_OR_CONTROL = /\x1b\[[0-9;:]*m|[\x00-\x08\x0a-\x1f\x7f-\x9f]/g

/**
 * Escapes the control characters of untrusted text, except colours and text styles: escape sequences can change the
 * state of a terminal or make it send input.
 */
export function printable(line: string): string {
  return line.replace(COLOUR_OR_CONTROL, (found) =>
    found.length > 1 ? found : `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** Text of several lines, each of which is printable. */
export function printableText(text: string): string {
  return text.replace(/[^\n]*?(?=\r?\n|$)/g, printable)
}

const STYLED = /\x1b\[[0-9;:]*m/

/** A line of untrusted text whose colours end with it: whatever is printed next keeps its own. */
export function printableLine(line: string): string {
  const shown = printable(line)
  return STYLED.test(shown) ? `${shown}\x1b[0m` : shown
}
