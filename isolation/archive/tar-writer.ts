import { Readable } from 'node:stream'
import { Fault } from '../../base/errors.js'
import { type Filter, type FilterEnd, throughProcesses } from './filter-process.js'
import { jailed, jailFault } from './jail.js'
import { bytesOf } from './names.js'

export interface TarRequest {
  /** Absolute path. Nobody may write in it meanwhile. */
  readonly tree: string
  /** What to archive, in this order and nothing more: paths, each ended by a NUL. Never empty: tar refuses that. */
  readonly list: Readable
  /** Archive holes as holes. Where they are depends on the filesystem, so two copies of a tree may differ. */
  readonly sparse: boolean
  /** Archive every name of a file with several as a file of its own. */
  readonly separateLinks?: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * An archive of `paths`, byte for byte the same for the same tree.
 *
 * By GNU tar from a list: it reads ten thousand small files in 40 ms, in a process that can be jailed, where Node needs
 * some 400 ms of the daemon's own thread; and it knows holes, hard links, attributes and long names. What would differ
 * from one run to the next is pinned: the order is that of the list, owners are numbers, times of access and change are
 * left out, and extended headers are named without tar's process id (that id, which names the pieces of sparse files all
 * the same, is always 1 in the jail). Times of modification are kept, to the nanosecond.
 *
 * ATTRIBUTES: `user.*` but for `user.overlay.*`; ACLs, file capabilities and labels are not kept, as an upload's are not.
 *
 * The stream errs with `Fault` (`archive-failed`) when a file vanishes or changes while it is read.
 */
export function writeTar({ list, signal, ...how }: TarRequest): Readable {
  return throughProcesses(list, [tarOfList(how)], signal)
}

/** @param paths bytes as latin1 */
export function tarList(paths: readonly string[]): Readable {
  return Readable.from([bytesOf(`${paths.join('\0')}\0`)], { objectMode: false })
}

/** The same as a program, which may be told the paths later: its jail takes as long to make as a tree to walk. */
export function tarOfList({ tree, sparse, separateLinks = false }: Omit<TarRequest, 'list' | 'signal'>): Filter {
  const argv = jailed({ tree, access: 'ro', capabilities: ['dac_read_search'], fileBytes: 0 }, [
    'tar',
    '--create',
    '--file=-',
    '--format=pax',
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=user.*',
    '--xattrs-exclude=user.overlay.*',
    '--no-acls',
    '--no-selinux',
    ...(sparse ? ['--sparse'] : []),
    ...(separateLinks ? ['--hard-dereference', '--blocking-factor=1'] : ['--blocking-factor=128']),
    '--null',
    '--verbatim-files-from',
    '--no-recursion',
    '--files-from=-',
  ])
  return { argv, judge }
}

function judge(end: FilterEnd): Error | undefined {
  if (end.exitCode === 0) return undefined
  return (
    jailFault(end.exitCode, end.stderr) ??
    new Fault('archive-failed', `A tree could not be archived: ${end.stderr.split('\n')[0] || 'tar was killed'}.`)
  )
}
