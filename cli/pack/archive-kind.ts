import type { FileHandle } from 'node:fs/promises'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

const HEAD_BYTES = 16

/** Formats that nothing here reads, by their first bytes. */
const FOREIGN: readonly (readonly [format: string, bytes: string])[] = [
  ['a 7z archive', '7z\xbc\xaf\x27\x1c'],
  ['a RAR archive', 'Rar!\x1a\x07'],
  ['compressed with lz4', '\x04\x22\x4d\x18'],
  ['compressed with lzip', 'LZIP'],
  ['compressed with lzop', '\x89LZO'],
  ['compressed with compress (.Z)', '\x1f\x9d'],
  ['compressed with lzma, the predecessor of xz', '\x5d\x00\x00'],
  ['a Debian package or ar archive', '!<arch>\n'],
  ['an RPM package', '\xed\xab\xee\xdb'],
  ['a cpio archive', '07070'],
  ['a Microsoft cabinet', 'MSCF'],
]

/** Names of programs for a Java runtime. */
const JAVA_ARCHIVE = /\.(?:jar|war|ear)$/i

export type ArchiveKind = 'zip' | 'java' | 'tarball'

/**
 * How to take a file of the user: `zip` is converted, `java` is a program for a Java runtime that stays one file, and
 * `tarball` is uploaded as it is; the daemon detects its compression.
 *
 * The content decides, not the name. Only the Java archives are told from other zips by their names.
 *
 * Throws `BadInput` (`not-an-archive`) for formats that the daemon does not read.
 */
export async function archiveKindOf(handle: FileHandle, name: string): Promise<ArchiveKind> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
  const head = buffer.toString('latin1', 0, bytesRead)
  // The second is that of an empty zip, the third of a part of one that is split.
  if (/^PK(?:\x03\x04|\x05\x06|\x07\x08)/.test(head)) return isJavaArchive(name) ? 'java' : 'zip'
  const found = FOREIGN.find(([, bytes]) => head.startsWith(bytes))
  if (found)
    throw new BadInput(
      'not-an-archive',
      `${quote(name)} is ${found[0]}: unpack it and give the directory, or pack it as a zip or a tar file, plain or compressed with gzip, bzip2, xz or zstd.`,
    )
  return 'tarball'
}

/** True for the name of a zip that is staged as one file. */
export function isJavaArchive(name: string): boolean {
  return JAVA_ARCHIVE.test(name)
}
