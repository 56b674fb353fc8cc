/** How the values of a column become shorter. A column without it keeps its values whole. */
export interface Shortening {
  /** At most `width` characters of `text`; `ellipsis` stands for what is left out. */
  readonly cut: (text: string, width: number, ellipsis: string) => string
  /** Whether the values tell the rows apart: then different values stay different. */
  readonly distinct: boolean
}

/** A full name: its kind goes first, because the column says it, and then its middle. The end tells names apart. */
export const SHORTEN_NAME: Shortening = {
  cut: (text, width, ellipsis) => {
    const name = text.length > width ? text.replace(/^[a-z]+::/, '') : text
    return cutMiddle(name, width, ellipsis)
  },
  distinct: true,
}

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

function cutMiddle(text: string, width: number, ellipsis: string): string {
  if (text.length <= width) return text
  const kept = Math.max(1, width - ellipsis.length)
  const tail = Math.ceil((kept * 2) / 3)
  return text.slice(0, kept - tail) + ellipsis + text.slice(text.length - tail)
}
