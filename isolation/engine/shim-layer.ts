import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import type { ImageLayer } from '../layers/layer.js'

/**
 * Stagers prepare /stagerfs with `mount --bind /proc /stagerfs/proc` and `mount --rbind /dev /stagerfs/dev`, and stop
 * when that fails; but a container without CAP_SYS_ADMIN may not mount. The launch has made these mounts already, so
 * that saying yes is the truth. sudo's secure_path, and every usual PATH, has /usr/local/sbin first.
 */
const MOUNT_SHIM = `#!/bin/sh
# stagerd has mounted /proc and /dev below /stagerfs before this stager began.
case "$*" in
  '--bind /proc /stagerfs/proc' | '--rbind /proc /stagerfs/proc' | '--bind /dev /stagerfs/dev' | '--rbind /dev /stagerfs/dev') exit 0 ;;
  '-o bind /proc /stagerfs/proc' | '-o rbind /proc /stagerfs/proc' | '-o bind /dev /stagerfs/dev' | '-o rbind /dev /stagerfs/dev') exit 0 ;;
  '-B /proc /stagerfs/proc' | '-R /proc /stagerfs/proc' | '-B /dev /stagerfs/dev' | '-R /dev /stagerfs/dev') exit 0 ;;
  '-t proc proc /stagerfs/proc' | '-t proc none /stagerfs/proc') exit 0 ;;
esac
for mount in /usr/bin/mount /bin/mount /usr/sbin/mount /sbin/mount; do
  [ -x "$mount" ] && exec "$mount" "$@"
done
echo 'mount: not found' >&2
exit 127
`

/**
 * What a stager finds in its root though no package brought it: content by absolute path.
 *
 * @param extraFiles likewise, such as a bundle of certificate authorities
 */
export function shimFiles(extraFiles: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([['/usr/local/sbin/mount', MOUNT_SHIM], ...extraFiles])
}

/**
 * The top layer of a stager's root: the place of /stagerfs, and the files. As a layer of the image it is below the
 * container's upper directory, so that a snapshot holds only copies that `chown -R` made: isolation/engine/copied-up.ts.
 */
export async function makeShimLayer(files: ReadonlyMap<string, string>): Promise<ImageLayer> {
  const archive = pack()
  // Fixed owners, modes and times, so that the layer has the same digest on every host and day.
  const common = { uid: 0, gid: 0, mtime: new Date(0), mode: 0o755 }
  for (const name of ['stagerfs', ...parentsOf(files.keys())]) archive.entry({ ...common, name, type: 'directory' })
  for (const [path, content] of files)
    archive.entry({ ...common, name: path.slice(1), mode: path.includes('/sbin/') ? 0o755 : 0o644 }, content)
  archive.finalize()
  const bytes = await buffer(Readable.from(archive))
  return {
    diffId: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    tarLength: bytes.length,
    openTar: () => Promise.resolve(Readable.from([bytes])),
  }
}

/** Parents before children, each once: the Engine would make up modes for those that an archive leaves out. */
function parentsOf(paths: Iterable<string>): string[] {
  const parents = new Set<string>()
  for (const path of paths) {
    const segments = path.split('/').slice(1, -1)
    segments.forEach((_, index) => parents.add(segments.slice(0, index + 1).join('/')))
  }
  return [...parents].sort()
}
