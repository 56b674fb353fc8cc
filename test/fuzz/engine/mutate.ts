import type { FuzzTarget } from '../fuzz-target.js'
import type { Random } from './random.js'

type Format = Pick<FuzzTarget, 'maxBytes' | 'tokens' | 'block' | 'repair'>

/** Where parsers change their mind. */
const NUMBERS = ['0', '1', '-1', '7', '255', '65536', '2147483648', '4294967295', '9007199254740993', '1'.repeat(30)]
const BYTES = [0, 1, 0x0a, 0x20, 0x22, 0x27, 0x2f, 0x5c, 0x7f, 0x80, 0xc3, 0xfe, 0xff]
/** Above it, an input grows only when what it repeats is the point. */
const USUAL_BYTES = 4096

/** Changes `parent` at one to eight places. `other` is another input, of which a part may be taken. */
export function mutate(parent: Buffer, other: Buffer, format: Format, random: Random): Buffer {
  let bytes = parent
  for (let changes = 1 + random.below(random.oneIn(3) ? 8 : 2); changes > 0; changes -= 1)
    bytes = change(bytes, other, format, random)
  if (random.oneIn(200)) bytes = repeatedSpan(bytes, format, random)
  else if (bytes.length > Math.max(USUAL_BYTES, parent.length))
    bytes = bytes.subarray(0, Math.max(USUAL_BYTES, parent.length))
  bytes = bytes.subarray(0, format.maxBytes)
  return format.repair && !random.oneIn(16) ? format.repair(bytes) : bytes
}

function change(bytes: Buffer, other: Buffer, format: Format, random: Random): Buffer {
  const { tokens } = format
  switch (random.below(10)) {
    case 0: {
      const changed = Buffer.from(bytes)
      if (changed.length > 0) changed[random.below(changed.length)]! ^= 1 << random.below(8)
      return changed
    }
    case 1:
      return replaced(bytes, random.below(bytes.length + 1), 1, Buffer.from([random.of(BYTES)]))
    case 2:
      return replaced(bytes, random.below(bytes.length + 1), 0, Buffer.from([random.below(256)]))
    case 3: {
      const [from, length] = span(bytes, format, random)
      return replaced(bytes, from, length, Buffer.alloc(0))
    }
    case 4: {
      const [from, length] = span(bytes, format, random)
      return replaced(bytes, place(bytes, format, random), 0, bytes.subarray(from, from + length))
    }
    case 5: {
      const [from, length] = span(bytes, format, random)
      const [start, taken] = span(other, format, random)
      return replaced(bytes, from, random.oneIn(2) ? 0 : length, other.subarray(start, start + taken))
    }
    case 6:
      return withNumber(bytes, random)
    case 7:
    case 8: {
      if (tokens.length === 0) return bytes
      const token = Buffer.from(random.of(tokens), 'latin1')
      return replaced(bytes, random.below(bytes.length + 1), random.oneIn(2) ? 0 : token.length, token)
    }
    default: {
      const [from, length] = span(bytes, format, random)
      const copies = Array.from({ length: 1 + random.below(6) }, () => bytes.subarray(from, from + length))
      return replaced(bytes, from, 0, Buffer.concat(copies))
    }
  }
}

/** What is quadratic shows only in long inputs. */
function repeatedSpan(bytes: Buffer, format: Format, random: Random): Buffer {
  const [from, length] = span(bytes, {}, random)
  if (length === 0) return bytes
  const piece = bytes.subarray(from, from + Math.min(length, 64))
  const count = Math.floor((format.maxBytes - bytes.length) / piece.length)
  return count <= 0 ? bytes : replaced(bytes, from, 0, Buffer.concat(Array.from({ length: count }, () => piece)))
}

function withNumber(bytes: Buffer, random: Random): Buffer {
  const found = [...bytes.toString('latin1').matchAll(/-?\d+/g)]
  if (found.length === 0) return bytes
  const { index, 0: digits } = random.of(found)
  const near = String(Number(digits) + (random.oneIn(2) ? 1 : -1))
  return replaced(bytes, index, digits.length, Buffer.from(random.oneIn(2) ? near : random.of(NUMBERS)))
}

function span(bytes: Buffer, format: Pick<Format, 'block'>, random: Random): [from: number, length: number] {
  const from = place(bytes, format, random)
  const { block } = format
  const longest = random.oneIn(3) ? bytes.length : 16
  if (block !== undefined && from % block === 0 && random.oneIn(2)) return [from, block * (1 + random.below(3))]
  return [from, Math.min(bytes.length - from, random.below(longest + 1))]
}

function place(bytes: Buffer, { block }: Pick<Format, 'block'>, random: Random): number {
  const at = random.below(bytes.length + 1)
  return block === undefined || random.oneIn(2) ? at : at - (at % block)
}

function replaced(bytes: Buffer, from: number, length: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(from + length)])
}
