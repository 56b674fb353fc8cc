import { pipeline, type Readable } from 'node:stream'
import { BadInput, Fault, Unavailable } from '../../base/errors.js'
import { type FilterEnd, intoProcess } from './filter-process.js'
import { settleImpliedDirectories } from './implied-directories.js'
import { jailed, jailFault } from './jail.js'
import type { ArchiveLimits } from './limits.js'
import { scanned } from './scan.js'
import { emptyMember } from './tar-member.js'
import type { LedgerKind } from './member-ledger.js'
import { type TreeSize, validateTree } from './validate-tree.js'

export interface UnpackRequest {
  /** Absolute path of an empty directory that nobody else writes. What is left in it after a failure is rubbish. */
  readonly directory: string
  readonly limits: ArchiveLimits
  /** Paths at which to leave overlayfs whiteouts, where the archive has nothing there. */
  readonly whiteouts?: readonly string[]
  readonly signal: AbortSignal
}

export interface UnpackedTree extends TreeSize {
  /** Everything below its root, in no order; bytes as latin1. */
  readonly paths: ReadonlyMap<string, LedgerKind>
}

/**
 * Unpack an archive of anybody's in one pass: blob, decompressor, scanner and a jailed GNU tar at once. Then look at
 * what became of it, by `lstat` alone.
 *
 * Owners, permissions (setuid too), times to the nanosecond, hard links, holes and `user.*` attributes are kept; ACLs,
 * file capabilities and SELinux labels are left out (isolation/archive/pax-records.ts says why).
 *
 * Throws `BadInput` (`not-an-archive`, `archive-corrupt`, `archive-empty`, `archive-refused`),
 * `TooLarge` (`archive-too-large`), `Unavailable` (`disk-full`), `Fault`, or what the stream itself fails with.
 */
export async function unpackArchive(compressed: Readable, request: UnpackRequest): Promise<UnpackedTree> {
  const { directory, limits, whiteouts = [], signal } = request
  try {
    const { plain, scanner } = await scanned(compressed, limits, { strict: false, signal })
    // The whiteouts go first, so that the archive's own entries give their directories the times that they shall have.
    // No capability is needed: since Linux 5.8 anybody may make the device 0:0.
    for (const path of whiteouts) scanner.push(emptyMember({ path, kind: 'character-device' }))
    pipeline(plain, scanner, () => undefined)
    await intoProcess(scanner, tarInJail(directory, limits), { signal, judge })

    const { ledger } = scanner.follower
    for (const path of whiteouts) ledger.addWhiteout(path)
    const { paths } = ledger
    const size = await validateTree(directory, paths, signal)
    const implied: string[] = []
    for (const [path, kind] of paths) if (kind === 'implied') implied.push(path)
    await settleImpliedDirectories(directory, implied, signal)
    return { ...size, paths }
  } catch (error) {
    compressed.destroy()
    throw error
  }
}

function tarInJail(tree: string, limits: ArchiveLimits): string[] {
  return jailed(
    {
      tree,
      access: 'rw',
      capabilities: ['chown', 'dac_override', 'fowner', 'fsetid'],
      fileBytes: limits.apparentBytes,
    },
    [
      'tar',
      '--extract',
      '--file=-',
      '--numeric-owner',
      '--same-owner',
      '--same-permissions',
      // Else a directory without write permission could not be filled, and times of directories would be those of now.
      '--delay-directory-restore',
      '--xattrs',
      '--xattrs-include=user.*',
      '--xattrs-exclude=user.overlay.*',
      '--no-acls',
      '--no-selinux',
    ],
  )
}

function judge(end: FilterEnd): Error | undefined {
  if (end.exitCode === 0) return undefined
  const fault = jailFault(end.exitCode, end.stderr)
  if (fault) return fault
  if (/No space left on device|Disk quota exceeded/.test(end.stderr))
    return new Unavailable('disk-full', 'There is no space left to unpack the package: free some and try again.')
  if (end.killedBy !== null && end.killedBy !== 'SIGXFSZ')
    return new Fault('process-failed', `tar was killed by ${end.killedBy} while it unpacked a package.`)
  return new BadInput('archive-refused', `The archive is refused: tar cannot unpack it (${firstLine(end.stderr)}).`)
}

function firstLine(stderr: string): string {
  // "Removing leading `/'" is what tar says of every absolute name.
  const lines = stderr.split('\n').filter((line) => !line.includes('Removing leading'))
  return (lines[0] ?? '').slice(0, 300) || 'it said nothing'
}
