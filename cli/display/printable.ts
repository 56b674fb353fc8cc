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
