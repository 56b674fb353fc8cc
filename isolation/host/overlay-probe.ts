import { mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import { overlayOptions } from './mounts.js'

/**
 * Prints why overlays do not work in the directory $1; nothing if they do. It runs in a mount namespace of its own, so
 * its mount disappears with it. A missing setfattr is a finding of the programs, not of the filesystem.
 */
const SCRIPT = `no() { echo "$1"; exit 0; }
cd "$1" && mkdir lower upper work merged marked && : >lower/file || no 'files cannot be created in it'
if command -v setfattr >/dev/null; then
  setfattr -n user.stagerd -v y marked || no 'it does not keep extended attributes of users'
  setfattr -n trusted.overlay.opaque -v y marked || no 'it does not keep the extended attributes of overlayfs'
fi
mount --no-mtab -t overlay -o "$2" stagerd-probe merged || no 'it cannot be the upper layer of an overlay'
rm merged/file && [ -c upper/file ] || no 'it does not keep the whiteouts of overlayfs'`

/**
 * Checks with a small overlay that the filesystem of the state directory can have layers and /stagerfs. NFS, vfat and
 * overlay itself cannot, nor tmpfs before Linux 6.6.
 *
 * Throws `BadInput` (`bad-state-dir`), `Fault` (`process-failed`).
 */
export async function assertHoldsOverlays(directory: string): Promise<void> {
  const probe = await mkdtemp(path.join(directory, 'probe-'))
  let reason: string
  try {
    reason = await reasonAgainst(probe)
  } finally {
    await runProcess('rm', ['-rf', '--one-file-system', '--', probe])
  }
  if (reason === '') return
  throw new BadInput(
    'bad-state-dir',
    `Stagings cannot work in the state directory ${directory}, because it is on ${await filesystemOf(directory)}, and ${reason}: use a directory on a local filesystem such as ext4, xfs or btrfs, with --state-dir.`,
  )
}

async function reasonAgainst(probe: string): Promise<string> {
  const options = overlayOptions({
    source: 'stagerd-probe',
    base: probe,
    lowers: ['lower'],
    upper: 'upper',
    work: 'work',
    target: 'merged',
  })
  const { stdout } = await runProcess(
    'unshare',
    ['--mount', '--propagation=private', '--', '/bin/sh', '-c', SCRIPT, 'probe', probe, options],
    // As in mounts.ts.
    { env: { LIBMOUNT_FORCE_MOUNT2: 'always' }, timeoutMs: 10_000 },
  )
  return stdout.trim()
}

async function filesystemOf(directory: string): Promise<string> {
  const found = await runProcess('stat', ['--file-system', '--format=%T', '--', directory]).catch(() => undefined)
  return found ? `a filesystem of type ${found.stdout.trim()}` : 'an unknown filesystem'
}
