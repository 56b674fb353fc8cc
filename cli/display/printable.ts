/** An SGR sequence: colours and the like, which can do no harm. */
const COLOUR_OR_CONTROL = /\x1b\[[0-9;:]*m|[\x00-\x08\x0a-\x1f\x7f-\x9f]/g

/**
 * A line that somebody else wrote, for a terminal: colours stay, every other control character is shown rather than
 * obeyed, since a terminal can be told to do more than to print.
 */
export function printable(line: string): string {
  return line.replace(COLOUR_OR_CONTROL, (found) =>
    found.length > 1 ? found : `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
