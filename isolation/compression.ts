/** How an archive is compressed. */
export type Compression = 'gzip' | 'bzip2' | 'xz' | 'zstd' | 'none'
