/**
 * Matches SGR sequences (colours and text styles, which are harmless), control characters, and what shows text in another
 * order than it is in, or breaks lines. The marks that belong to texts from right to left are not among them.
 */
const COLOUR_OR_CONTROL = /\x1b\[[0-9;:]*m|[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

/**
 * Escapes the control characters of untrusted text, except colours and text styles: escape sequences can change the
 * state of a terminal or make it send input.
 */
export function printable(line: string): string {
  return line.replace(COLOUR_OR_CONTROL, (found) => (found.length > 1 ? found : escaped(found.charCodeAt(0))))
}

function escaped(code: number): string {
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
}

const STYLED = /\x1b\[[0-9;:]*m/

/** Text of several lines, each of which is printable, and whose colours end with it. */
export function printableText(text: string): string {
  return text.replace(/[^\n]*?(?=\r?\n|$)/g, printableLine)
}

/** A line of untrusted text whose colours end with it: whatever is printed next keeps its own. */
export function printableLine(line: string): string {
  const shown = printable(line)
  return STYLED.test(shown) ? `${shown}\x1b[0m` : shown
}
