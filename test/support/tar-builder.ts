/**
 * Builds tar archives byte by byte, so that tests can create archives that no tar program writes. Strings are bytes as
 * latin1.
 */
export interface TarMember {
  readonly name: string
  /** '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5' directory, '6' FIFO… */
  readonly type?: string
  readonly data?: Buffer | string
  readonly linkName?: string
  /** What a header of POSIX has of a name before its last part. */
  readonly prefix?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtime?: number
  readonly device?: readonly [major: number, minor: number]
  /** The size in the header, if it differs from the length of the data. */
  readonly size?: number
  /** Records of the extended header of this member. */
  readonly pax?: Readonly<Record<string, string>>
  /** The same as a list, which may repeat a key. */
  readonly paxList?: readonly (readonly [key: string, value: string])[]
  /** Overrides the checksum. */
  readonly checksum?: number
}

const BLOCK = 512
export const END = Buffer.alloc(2 * BLOCK)

/** A complete archive. */
export function tarOf(...members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.map(memberBlocks), END])
}

/** The blocks of one member, extended header included. */
export function memberBlocks(member: TarMember): Buffer {
  const data = typeof member.data === 'string' ? Buffer.from(member.data, 'latin1') : (member.data ?? Buffer.alloc(0))
  const pax = [...Object.entries(member.pax ?? {}), ...(member.paxList ?? [])]
  const body = Buffer.concat(pax.map(([key, value]) => paxRecord(key, value)))
  const extended =
    pax.length === 0 ? [] : [headerBlock({ name: 'PaxHeaders/x', type: 'x', size: body.length }), padded(body)]
  return Buffer.concat([...extended, headerBlock({ size: data.length, ...member }), padded(data)])
}

export function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length
  return Buffer.from(`${length}${rest}`, 'latin1')
}

function headerBlock(member: TarMember): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, length: number) => {
    if (value >= 0 && value < 8 ** (length - 1)) block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
    else {
      // The base-256 encoding of GNU tar, for large and negative numbers.
      const bytes = BigInt.asUintN(8 * (length - 1), BigInt(value))
        .toString(16)
        .padStart(2 * (length - 1), '0')
      block.write(`${value < 0 ? 'ff' : '80'}${bytes}`, at, 'hex')
    }
  }
  block.write(member.name.slice(0, 100), 0, 'latin1')
  octal(member.mode ?? (member.type === '5' ? 0o755 : 0o644), 100, 8)
  octal(member.uid ?? 0, 108, 8)
  octal(member.gid ?? 0, 116, 8)
  octal(member.size ?? 0, 124, 12)
  octal(member.mtime ?? 1_000_000_000, 136, 12)
  block.write('        ', 148, 'latin1')
  block.write(member.type ?? '0', 156, 'latin1')
  block.write((member.linkName ?? '').slice(0, 100), 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(member.prefix ?? '', 345, 'latin1')
  if (member.device) {
    octal(member.device[0], 329, 8)
    octal(member.device[1], 337, 8)
  }
  const sum = member.checksum ?? block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)])
}
