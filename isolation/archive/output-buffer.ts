import { existsSync } from 'node:fs'

const PERL = '/usr/bin/perl'

/**
 * 1 is SOL_SOCKET and 32 is SO_SNDBUFFORCE on Linux. If the call is not permitted, the buffer size stays the default.
 */
const SCRIPT =
  'setsockopt(STDOUT, 1, 32, pack("i", 4 << 20)); exec { $ARGV[0] } @ARGV; warn "$ARGV[0]: $!\\n"; exit 127'

/**
 * `argv`, wrapped so that its standard output has a large socket buffer. Programs that read and write megabytes at a
 * time, such as igzip, otherwise alternate with the program that feeds them. A buffer of 1 MiB makes a snapshot a fifth
 * faster. A buffer of 4 MiB gains another 3 %, because the kernel wakes a writer only when three quarters of it are
 * free. The kernel uses this memory only while the reader is behind.
 *
 * Node connects programs by sockets and cannot set their buffer size. perl, which every Debian has, sets it in a
 * millisecond and execs the program. Without perl, the program runs with the default buffer.
 */
export function withLargeOutputBuffer(argv: readonly string[]): readonly string[] {
  return existsSync(PERL) ? [PERL, '-e', SCRIPT, ...argv] : argv
}
