/** C0, DEL and C1, what breaks lines, and what changes the direction of text. */
const CONTROLS = /[\p{Control}\p{Bidi_Control}\u2028\u2029]/gu

/** Untrusted text as one line that shows what is in it: control characters are escaped as in JSON. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
