/** What the header of an ELF file says about where it runs: elf(5). */
export interface ElfHeader {
  /** The number of its processor. */
  readonly machine: number
  readonly isLittleEndian: boolean
  /** Where the program headers are in the file. */
  readonly programHeaders: { readonly offset: number; readonly size: number; readonly count: number }
  readonly is64Bit: boolean
}

/** A part of a file. */
export interface FileRange {
  readonly offset: number
  readonly length: number
}

/** Long enough for the header of an ELF file. */
const HEADER_LENGTH = 64
const PT_INTERP = 3

/** Undefined for a file that is not ELF, or broken. */
export function elfHeader(head: Buffer): ElfHeader | undefined {
  if (head.length < HEADER_LENGTH || head.readUInt32BE(0) !== 0x7f454c46) return undefined
  const is64Bit = head[4] === 2
  const isLittleEndian = head[5] !== 2
  const short = (at: number) => (isLittleEndian ? head.readUInt16LE(at) : head.readUInt16BE(at))
  const offset = is64Bit ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28)
  const [size, count] = is64Bit ? [short(54), short(56)] : [short(42), short(44)]
  return { machine: short(18), isLittleEndian, is64Bit, programHeaders: { offset, size, count } }
}

/** Where the path of its dynamic loader is in the file; undefined for a static program. @param table program headers */
export function loaderRange({ is64Bit, programHeaders }: ElfHeader, table: Buffer): FileRange | undefined {
  const { size, count } = programHeaders
  const needed = is64Bit ? 40 : 20
  for (let at = 0; at < count * size && at + needed <= table.length; at += size) {
    if (table.readUInt32LE(at) !== PT_INTERP) continue
    return is64Bit
      ? { offset: Number(table.readBigUInt64LE(at + 8)), length: Number(table.readBigUInt64LE(at + 32)) }
      : { offset: table.readUInt32LE(at + 4), length: table.readUInt32LE(at + 16) }
  }
  return undefined
}

/** Names of processors, by their numbers in ELF. */
export const MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
}

/** Those that containers run, by the name that Node.js has for the processor of the host, its own first: decision 68. */
export const RUNNABLE_MACHINES: Partial<Record<string, readonly number[]>> = {
  x64: [62, 3],
  ia32: [3],
  arm64: [183],
  arm: [40],
  ppc64: [21],
  s390x: [22],
  riscv64: [243],
}
