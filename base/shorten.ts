/**
 * Parts of texts for places with limited room. A character that takes two UTF-16 units is never cut in half: half of one
 * is not text, and cannot be written as UTF-8.
 */

/** The first `length` units, or one less. */
export function headOf(text: string, length: number): string {
  return text.slice(0, isWithinPair(text, length) ? length - 1 : length)
}

/** The last `length` units, or one less. */
export function tailOf(text: string, length: number): string {
  const start = Math.max(0, text.length - length)
  return text.slice(isWithinPair(text, start) ? start + 1 : start)
}

/** The whole text, or its head and three dots. */
export function shorten(text: string, length: number): string {
  return text.length > length ? `${headOf(text, length - 3)}...` : text
}

function isWithinPair(text: string, at: number): boolean {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff
}
