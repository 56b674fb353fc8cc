import { chown } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { BadInput, Fault, Unavailable } from '../../base/errors.js'
import { type FilterExit, intoProcess } from './filter-process.js'
import { normaliseImpliedDirectories } from './implied-directories.js'
import { jailed, jailFault } from './jail.js'
import type { ArchiveLimits } from './limits.js'
import { type MappedOwners, rootOnDisk } from './mapped-owners.js'
import { openScanner } from './scan.js'
import { emptyMember } from './tar-member.js'
import type { ExpectedKind } from './expected-tree.js'
import { type TreeSize, validateTree } from './validate-tree.js'

export interface UnpackRequest {
  /** Absolute path of an empty directory that nobody else writes. After a failure the caller discards its content. */
  readonly directory: string
  readonly limits: ArchiveLimits
  /** Paths that get an overlayfs whiteout, unless the archive has an entry there. */
  readonly whiteouts?: readonly string[]
  /** What the owners in the archive stand for on the disk. */
  readonly owners?: MappedOwners | undefined
  readonly signal: AbortSignal
}

export interface UnpackedTree extends TreeSize {
  /** Everything below the root, unordered; bytes as latin1. */
  readonly paths: ReadonlyMap<string, ExpectedKind>
}

/**
 * Unpacks an untrusted archive in one pass through decompressor, scanner and a jailed GNU tar. Then validates the
 * result with `lstat` only.
 *
 * Owners, permissions (including setuid), times (base/tar-time.ts), hard links, holes and `user.*` attributes are kept.
 * ACLs, file capabilities and SELinux labels are dropped; isolation/archive/pax-records.ts says why.
 *
 * Throws `BadInput` (`not-an-archive`, `archive-corrupt`, `archive-empty`, `archive-refused`, `owner-not-mapped`),
 * `TooLarge` (`archive-too-large`), `Unavailable` (`disk-full`), `Fault`, or the error of the stream.
 */
export async function unpackArchive(compressed: Readable, request: UnpackRequest): Promise<UnpackedTree> {
  const { directory, limits, whiteouts = [], owners, signal } = request
  try {
    const root = rootOnDisk(owners)
    // In a user namespace tar has no capabilities over a directory of another owner.
    if (owners) await chown(directory, root.uid, root.gid)
    const { plain, scanner } = await openScanner(compressed, limits, { strict: false, owners, signal })
    // Whiteouts come first, so that the archive's own entries set the final times of the directories.
    // Since Linux 5.8, creating the device 0:0 needs no capability.
    for (const path of whiteouts) scanner.push(emptyMember({ path, kind: 'character-device' }))
    pipeline(plain, scanner, () => undefined)
    await intoProcess(scanner, tarInJail(directory, limits, owners), { signal, checkExit })

    const { tree } = scanner.parser
    for (const path of whiteouts) tree.addWhiteout(path)
    const { paths } = tree
    const size = await validateTree(directory, paths, owners, signal)
    const implied: string[] = []
    for (const [path, kind] of paths) if (kind === 'implied') implied.push(path)
    await normaliseImpliedDirectories(directory, implied, root, signal)
    return { ...size, paths }
  } catch (error) {
    compressed.destroy()
    throw error
  }
}

function tarInJail(tree: string, limits: ArchiveLimits, owners: MappedOwners | undefined): string[] {
  return jailed(
    {
      tree,
      access: 'rw',
      capabilities: ['chown', 'dac_override', 'fowner', 'fsetid'],
      fileBytes: limits.apparentBytes,
      userNamespace: owners?.namespace,
    },
    [
      'tar',
      '--extract',
      '--file=-',
      '--numeric-owner',
      '--same-owner',
      '--same-permissions',
      // Without this, tar could not write into read-only directories, and their times would be the current time.
      '--delay-directory-restore',
      // A time long ago or in the future is no reason for a warning.
      '--warning=no-timestamp',
      '--xattrs',
      '--xattrs-include=user.*',
      '--xattrs-exclude=user.overlay.*',
      '--no-acls',
      '--no-selinux',
    ],
  )
}

function checkExit(exit: FilterExit): Error | undefined {
  if (exit.exitCode === 0) return undefined
  const fault = jailFault(exit.exitCode, exit.stderr)
  if (fault) return fault
  if (/No space left on device|Disk quota exceeded/.test(exit.stderr))
    return new Unavailable('disk-full', 'There is no space left to unpack the package: free some and try again.')
  if (exit.killedBy !== null && exit.killedBy !== 'SIGXFSZ')
    return new Fault('process-failed', `tar was killed by ${exit.killedBy} while it unpacked a package.`)
  return new BadInput('archive-refused', `The archive is refused: tar cannot unpack it (${firstLine(exit.stderr)}).`)
}

function firstLine(stderr: string): string {
  // tar prints "Removing leading `/'" for absolute names.
  const lines = stderr.split('\n').filter((line) => !line.includes('Removing leading'))
  return (lines[0] ?? '').slice(0, 300) || 'no error message'
}
