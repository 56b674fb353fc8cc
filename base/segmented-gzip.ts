/** What a packed source begins with: no name, no time; then an empty flush, so that what follows is independent of it. */
export const GZIP_BEGINNING = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0xff, 0xff])

/** What it ends with: an empty last block, and the checksum and length of all that is compressed. */
export function gzipEnd(crc: number, length: number): Buffer {
  const end = Buffer.alloc(10)
  end[0] = 3
  end.writeUInt32LE(crc, 2)
  end.writeUInt32LE(length % 2 ** 32, 6)
  return end
}
