/** How the values of a column become shorter. A column without it keeps its values whole. */
export interface Shortening {
  /** At most `width` characters of `text`; `ellipsis` stands for what is left out. */
  readonly cut: (text: string, width: number, ellipsis: string) => string
  /** Whether the values tell the rows apart: then different values stay different. */
  readonly distinct: boolean
}

/** A full name: its kind goes first, because the column says it, then its namespace, and last the middle of its name. */
export const SHORTEN_NAME: Shortening = { cut: cutName, distinct: true }

/** The ID of a staging: its first part, which commands take for the whole. */
export const SHORTEN_ID: Shortening = {
  cut: (text, width) => (text.length > width ? (text.split('-')[0] ?? text) : text),
  distinct: true,
}

/** An identifier of another kind, such as a digest. */
export const SHORTEN_MIDDLE: Shortening = { cut: cutMiddle, distinct: true }

/** Text and lists, which begin with what is most important. */
export const SHORTEN_END: Shortening = {
  cut: (text, width, ellipsis) =>
    text.length > width ? text.slice(0, Math.max(0, width - ellipsis.length)) + ellipsis : text,
  distinct: false,
}

function cutName(text: string, width: number, ellipsis: string): string {
  if (text.length <= width) return text
  const kindless = text.replace(/^[a-z]+::/, '')
  if (kindless.length <= width) return kindless
  const name = kindless.slice(kindless.lastIndexOf('::') + 2)
  const roomForNamespace = width - name.length - ellipsis.length - 2
  return roomForNamespace >= 0
    ? `${kindless.slice(0, roomForNamespace)}${ellipsis}::${name}`
    : cutMiddle(name, width, ellipsis)
}

function cutMiddle(text: string, width: number, ellipsis: string): string {
  if (text.length <= width) return text
  const kept = Math.max(1, width - ellipsis.length)
  const tail = Math.ceil((kept * 2) / 3)
  return text.slice(0, kept - tail) + ellipsis + text.slice(text.length - tail)
}
