/**
 * `argv`, wrapped so that it runs with the least privileges that a decompressor needs: as nobody, without capabilities
 * or network. It cannot write files, its memory and CPU time are limited, and it is killed when the daemon exits.
 *
 * Only root can change the user and create a network namespace. Without root, as in a developer's tests, the other
 * restrictions apply.
 */
export function confined(argv: readonly string[], isRoot = process.getuid?.() === 0): string[] {
  const limits = ['prlimit', '--core=0', '--fsize=0', '--nofile=64', '--cpu=1800', `--as=${2 * 1024 ** 3}`, '--']
  // The kernel clears the parent-death signal on a change of user: the same program sets it after that change.
  if (!isRoot) return [...limits, 'setpriv', '--no-new-privs', '--pdeathsig=KILL', '--', ...argv]
  return [
    'unshare',
    '--net',
    '--ipc',
    '--',
    ...limits,
    'setpriv',
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--pdeathsig=KILL',
    '--',
    ...argv,
  ]
}
