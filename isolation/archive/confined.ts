/**
 * `argv`, run with as little as a decompressor needs: as nobody, without capabilities or network, unable to write a
 * file, with bounded memory and processor time, and gone when the daemon is gone.
 *
 * Only root can take on another user and a network namespace of its own. Without root (a developer's tests) the rest
 * still holds.
 */
export function confined(argv: readonly string[], isRoot = process.getuid?.() === 0): string[] {
  const limits = ['prlimit', '--core=0', '--fsize=0', '--nofile=64', '--cpu=1800', `--as=${2 * 1024 ** 3}`, '--']
  // The signal of a parent's death is forgotten with each change of user: so it is set last, by the same program.
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
