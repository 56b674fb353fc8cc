const UNITS = ['', 'K', 'M', 'G', 'T'] as const
const SIZE = /^(\d{1,15}(?:\.\d{1,15})?)\s*(?:([KMGT])(?:i?B)?|B)?$/i

/** How sizes are written, for messages that refuse one. */
export const SIZE_FORM =
  'a number of bytes, or a number with one of the units B, KB, MB, GB and TB, such as 256MB or 1.5G'

/**
 * The bytes of `256MB`, `256M`, `256MiB` or `268435456`. A unit is a power of 1024, however it is written. Undefined for
 * any other text.
 */
export function parseSize(text: string): number | undefined {
  const [, number = '', unit = ''] = SIZE.exec(text.trim()) ?? []
  // There is no half of a byte: such a text lacks its unit.
  if (number === '' || (unit === '' && number.includes('.'))) return undefined
  const bytes = Math.round(Number(number) * 1024 ** UNITS.indexOf(unit.toUpperCase() as (typeof UNITS)[number]))
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
