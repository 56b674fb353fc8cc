const CENTRAL = Buffer.from('PK\x01\x02')
const END = Buffer.from('PK\x05\x06')

/** Fields of an entry in the central directory. */
export interface ZipFields {
  readonly system?: number
  readonly flags?: number
  readonly method?: number
  readonly unixMode?: number
}

/** A copy of a zip with these fields in every entry of its central directory. */
export function withFields(zip: Buffer, { system, flags, method, unixMode }: ZipFields): Buffer {
  const changed = Buffer.from(zip)
  for (let at = changed.indexOf(CENTRAL); at >= 0; at = changed.indexOf(CENTRAL, at + 4)) {
    if (system !== undefined) changed.writeUInt8(system, at + 5)
    if (flags !== undefined) changed.writeUInt16LE(flags, at + 8)
    if (method !== undefined) changed.writeUInt16LE(method, at + 10)
    if (unixMode !== undefined) changed.writeUInt32LE((unixMode << 16) >>> 0, at + 38)
  }
  return changed
}

/** A zip whose only entry, with a name of one digit, is there ten times under other names, with one content. */
export function overlapping(zip: Buffer): Buffer {
  const [start, end] = [zip.indexOf(CENTRAL), zip.indexOf(END)]
  const entry = zip.subarray(start, end)
  const entries = Array.from({ length: 10 }, (_, digit) => {
    const copy = Buffer.from(entry)
    copy.write(String(digit), 46)
    return copy
  })
  const last = Buffer.from(zip.subarray(end))
  last.writeUInt16LE(entries.length, 8)
  last.writeUInt16LE(entries.length, 10)
  last.writeUInt32LE(entry.length * entries.length, 12)
  return Buffer.concat([zip.subarray(0, start), ...entries, last])
}
