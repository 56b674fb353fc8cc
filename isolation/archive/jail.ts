import { Fault } from '../../base/errors.js'

/** A Linux capability, as setpriv names it. */
export type Capability = 'chown' | 'dac_override' | 'dac_read_search' | 'fowner' | 'fsetid'

export interface Jail {
  /** Absolute path of the directory that the program sees as /tree, its working directory. */
  readonly tree: string
  readonly access: 'ro' | 'rw'
  /** The program runs as root with these capabilities and no others. */
  readonly capabilities: readonly Capability[]
  /** Size limit of a file that the program writes. */
  readonly fileBytes: number
  /** Path of the user namespace in which the program is root; default: that of the daemon. */
  readonly userNamespace?: string | undefined
}

/** Neither an exit code of tar nor one that wrappers use for a program that cannot be run (126, 127). */
const JAIL_FAILED = 125

/**
 * Builds the jail from inside and then execs the program. The script is a constant: all values arrive as arguments.
 *
 *   /        tmpfs, read-only, nosuid nodev
 *   ├── usr  the host's, read-only, nosuid nodev (and bin, lib… as on the host)
 *   └── tree the directory, nosuid nodev noexec; the only writable place, with access `rw`
 *
 * The jail is mounted over /sys in a private mount namespace. Every host has this directory, and no tree is inside it.
 * The mounts disappear with the namespace, so nothing has to be cleaned up, even after kill -9. The jail has no /proc.
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
exec "$@"`

/**
 * `argv`, wrapped so that it runs in a jail: without network, without processes of the host, without files of the host
 * other than its programs. It is killed when the daemon exits. Needs root. The program is process 1 of its PID
 * namespace, so that the process id that GNU tar writes into archives is always the same.
 */
export function jailed(jail: Jail, argv: readonly string[]): string[] {
  return [
    ...['setpriv', '--pdeathsig=KILL', '--'],
    ...['unshare', '--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child', '--propagation=private'],
    ...['--', '/bin/sh', '-c', SCRIPT, 'jail', jail.tree, jail.access],
    ...changeOfRoot(jail.userNamespace),
    ...[
      'prlimit',
      '--core=0',
      '--nofile=256',
      '--cpu=1800',
      `--as=${4 * 1024 ** 3}`,
      `--fsize=${jail.fileBytes}`,
      '--',
    ],
    // Last, because the kernel clears the parent-death signal on a change of capabilities.
    ...['setpriv', '--no-new-privs', '--inh-caps=-all', `--bounding-set=-all${boundingSet(jail.capabilities)}`],
    ...['--pdeathsig=KILL', '--', ...argv],
  ]
}

/** The mounts are made before the user namespace is entered: a program in it may not mount. */
function changeOfRoot(userNamespace: string | undefined): string[] {
  if (userNamespace === undefined) return ['unshare', '--root=/sys', '--wd=/tree', '--']
  // nsenter opens the working directory before it changes the root.
  return ['nsenter', `--user=${userNamespace}`, '--root=/sys', '--wd=/sys/tree', '--']
}

/** The error if the jail could not be built. It is a fault of the host, not of the program in the jail. */
export function jailFault(exitCode: number | null, stderr: string): Fault | undefined {
  if (exitCode !== JAIL_FAILED) return undefined
  return new Fault(
    'jail-failed',
    `The jail for processing archives could not be set up (${stderr}): stagerd needs root and the right to mount.`,
  )
}

function boundingSet(capabilities: readonly Capability[]): string {
  return capabilities.map((capability) => `,+${capability}`).join('')
}
