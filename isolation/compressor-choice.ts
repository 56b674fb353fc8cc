export const COMPRESSORS = ['igzip', 'pigz', 'zlib'] as const
export type CompressorName = (typeof COMPRESSORS)[number]

/** The requested compressor of snapshots. Its output is gzip. */
export interface CompressorChoice {
  /** `auto` is the fastest on the host. */
  readonly name: 'auto' | CompressorName
  /** 0 to 9. The default 1 favours speed. */
  readonly level: number
}
