import zlib from 'node:zlib'

/** Missing in the oldest supported Node.js. */
const native = (zlib as { readonly crc32?: (bytes: Uint8Array, before: number) => number }).crc32

/** Not made where it is not used: that takes a millisecond of each start. */
const TABLE = native ? new Uint32Array() : makeTable()

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
    return value
  })
}

/** The checksum of zip and gzip files, continued from `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  if (native) return native(bytes, before)
  let value = ~before
  for (const byte of bytes) value = (value >>> 8) ^ (TABLE[(value ^ byte) & 0xff] ?? 0)
  return ~value >>> 0
}

/**
 * The checksum of two pieces together, from those of each: that of the first, multiplied by x to the power of the bits of
 * the second, as zlib's `crc32_combine` does it.
 */
export function joinCrc32(first: number, second: number, secondLength: number): number {
  let shift = 0x80000000
  let power = X_TO_THE_8
  for (let left = secondLength; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = multiply(power, shift)
    power = multiply(power, power)
  }
  return (multiply(shift, first) ^ second) >>> 0
}

/** A polynomial over two elements has its coefficient of x^0 in the highest bit. */
const X_TO_THE_8 = 0x00800000

/** Modulo the polynomial of the checksum. */
function multiply(one: number, other: number): number {
  let product = 0
  let shifted = other
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if ((one & bit) !== 0) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ 0xedb88320 : shifted >>> 1
  }
  return product >>> 0
}
