import { Fault } from '../../base/errors.js'

/** A capability of the host, as setpriv names it. */
export type Capability = 'chown' | 'dac_override' | 'dac_read_search' | 'fowner' | 'fsetid'

export interface Jail {
  /** Absolute path of the directory that the program sees as its working directory /tree. */
  readonly tree: string
  readonly access: 'ro' | 'rw'
  /** All that it keeps; the program is root, and root without capabilities is nobody in particular. */
  readonly capabilities: readonly Capability[]
  /** Longest file that it may write. */
  readonly fileBytes: number
}

/** No exit code of tar, and not one of those that wrappers use for what could not be run (126, 127). */
const JAIL_FAILED = 125

/**
 * Makes the jail from within, and becomes the program: a constant, to which everything arrives as an argument.
 *
 *   /        tmpfs, read-only, nosuid nodev
 *   ├── usr  the host's, read-only, nosuid nodev (and bin, lib… as on the host)
 *   └── tree the directory, nosuid nodev noexec: the one place that can be written, if any
 *
 * It is built over /sys of a mount namespace of its own, because that directory is on every host, never holds a tree,
 * and is gone with the namespace: nothing has to be cleaned up, even after kill -9. There is no /proc in it.
 */
const SCRIPT = `set -e
trap 'exit ${JAIL_FAILED}' EXIT
tree=$1 access=$2; shift 2
mount -t tmpfs -o nosuid,nodev,size=64k,mode=0755 jail /sys
mkdir /sys/usr /sys/tree
mount --bind -o ro,nosuid,nodev /usr /sys/usr
mount --bind -o "$access,nosuid,nodev,noexec" "$tree" /sys/tree
links=''
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then
    links="$links /$name"
  elif [ -d "/$name" ]; then
    mkdir "/sys/$name"
    mount --bind -o ro,nosuid,nodev "/$name" "/sys/$name"
  fi
done
if [ -n "$links" ]; then cp -P $links /sys; fi
mount -o remount,ro,nosuid,nodev /sys
trap - EXIT
exec unshare --root=/sys --wd=/tree -- "$@"`

/**
 * `argv`, run in a jail: without network, processes or files of the host but its programs, and killed with the daemon.
 * Needs root. The program is process 1 of its namespace, which makes what GNU tar writes of its process id the same
 * each time.
 */
export function jailed(jail: Jail, argv: readonly string[]): string[] {
  return [
    ...['setpriv', '--pdeathsig=KILL', '--'],
    ...['unshare', '--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child', '--propagation=private'],
    ...['--', '/bin/sh', '-c', SCRIPT, 'jail', jail.tree, jail.access],
    ...[
      'prlimit',
      '--core=0',
      '--nofile=256',
      '--cpu=1800',
      `--as=${4 * 1024 ** 3}`,
      `--fsize=${jail.fileBytes}`,
      '--',
    ],
    // Last, because a change of capabilities makes the kernel forget whose death is to be heard of.
    ...['setpriv', '--no-new-privs', '--inh-caps=-all', `--bounding-set=-all${keep(jail.capabilities)}`],
    ...['--pdeathsig=KILL', '--', ...argv],
  ]
}

/** The error, if the jail could not be made: a fault of the host, not of what was to be done in it. */
export function jailFault(exitCode: number | null, stderr: string): Fault | undefined {
  if (exitCode !== JAIL_FAILED) return undefined
  return new Fault(
    'jail-failed',
    `No jail could be made to handle an archive in (${stderr}): stagerd needs root and mounts.`,
  )
}

function keep(capabilities: readonly Capability[]): string {
  return capabilities.map((capability) => `,+${capability}`).join('')
}
