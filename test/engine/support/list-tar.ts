import { execFileSync } from 'node:child_process'

/**
 * What `tar --list` prints of an archive: a name on each line, in latin1, one character for each byte.
 *
 * tar stops at the end-of-archive marker, and an archive is padded after it. `--ignore-zeros` makes tar read to the end of
 * its input: without it the write of the padding fails with EPIPE when tar is faster.
 */
export function listTar(archive: Buffer, ...options: readonly '--gzip'[]): string {
  return execFileSync('tar', ['--list', '--ignore-zeros', '--quoting-style=literal', ...options], {
    input: archive,
    encoding: 'latin1',
    maxBuffer: 2 ** 30,
  })
}
