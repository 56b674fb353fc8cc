export const COMPRESSORS = ['igzip', 'pigz', 'zlib'] as const
export type CompressorName = (typeof COMPRESSORS)[number]

/** Which program makes the gzip of snapshots. */
export interface CompressorChoice {
  /** `auto`: the fastest that the host has. */
  readonly name: 'auto' | CompressorName
  /** 0 to 9. 1 is fast, and its output is small enough. */
  readonly level: number
}
