import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import type { ImageLayer } from '../layers/layer.js'

/**
 * Stagers prepare /stagerfs with `mount --bind /proc /stagerfs/proc` and `mount --rbind /dev /stagerfs/dev`, and abort
 * if that fails. A container without CAP_SYS_ADMIN cannot mount, but the launch has already made these mounts, so the
 * shim only reports success. Both the usual PATH and secure_path of sudo begin with /usr/local/sbin.
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
 * The files that stagerd puts into the root of a stager: content by absolute path. isolation/injected-files.ts has those
 * of the Engine.
 *
 * @param extraFiles such as certificates of an authority, by absolute path
 */
export function shimFiles(extraFiles: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([['/usr/local/sbin/mount', MOUNT_SHIM], ...extraFiles])
}

/** The topmost layer of the root of a stager: the mount points, and the files. */
export function makeShimLayer(files: ReadonlyMap<string, string>): Promise<ImageLayer> {
  return makeLayer(['stager-cache', 'stager-secrets', 'stagerfs'], files)
}

/** The topmost layer of the root of a run: undefined without files. */
export async function makeFileLayer(files: ReadonlyMap<string, string>): Promise<ImageLayer | undefined> {
  return files.size === 0 ? undefined : await makeLayer([], files)
}

/**
 * A layer of the image, below the upper directory of the container. So a snapshot contains the files only after `chown
 * -R` has copied them up, which isolation/snapshot/copied-up.ts detects.
 */
async function makeLayer(directories: readonly string[], files: ReadonlyMap<string, string>): Promise<ImageLayer> {
  const archive = pack()
  // Fixed owners, modes and times give the layer the same digest everywhere.
  const common = { uid: 0, gid: 0, mtime: new Date(0), mode: 0o755 }
  for (const name of [...directories, ...parentsOf(files.keys())]) archive.entry({ ...common, name, type: 'directory' })
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

/** Each parent once, before its children: the Engine would make up modes for directories that an archive lacks. */
function parentsOf(paths: Iterable<string>): string[] {
  const parents = new Set<string>()
  for (const path of paths) {
    const segments = path.split('/').slice(1, -1)
    segments.forEach((_, index) => parents.add(segments.slice(0, index + 1).join('/')))
  }
  return [...parents].sort()
}
