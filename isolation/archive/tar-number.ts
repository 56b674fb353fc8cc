/** Octal digits between blanks, or GNU base-256 (first bit set); undefined for anything else. */
export function parseNumber(block: Buffer, start: number, end: number): number | undefined {
  const first = block[start] ?? 0
  if (first === 0x80 || first === 0xff) {
    let value = first === 0xff ? -1n : 0n
    for (const byte of block.subarray(start + 1, end)) value = value * 256n + BigInt(byte)
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : undefined
  }
  let at = start
  while (at < end && block[at] === 0x20) at++
  const firstDigit = at
  let value = 0
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30
    if (digit < 0 || digit > 7) break
    value = value * 8 + digit
  }
  if (at === firstDigit) return undefined
  for (; at < end; at++) if (block[at] !== 0x20 && block[at] !== 0) return undefined
  return value
}
