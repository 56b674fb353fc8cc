import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { runProcess } from '../../../base/run-process.js'
import type { ResourceReader } from '../../../isolation/isolation.js'
import type { LayerSource } from '../../../isolation/launch-plan.js'

/** Tarballs by digest. */
export class MemoryResources implements ResourceReader {
  readonly #contents = new Map<string, Buffer>()

  add(name: string, content: Buffer): LayerSource {
    const sha256 = createHash('sha256').update(content).digest('hex')
    this.#contents.set(sha256, content)
    return { sha256, removals: [], name }
  }

  open(sha256: string): Promise<Readable> {
    const content = this.#contents.get(sha256)
    return content ? Promise.resolve(Readable.from([content])) : Promise.reject(new Error(`no resource ${sha256}`))
  }
}

/**
 * Maps paths to contents; a path with a trailing slash is a directory. Everything belongs to root.
 *
 * @param modes of files that are not executable, by path
 */
export async function tarball(
  tree: Readonly<Record<string, string | Buffer>>,
  modes: Readonly<Record<string, number>> = {},
): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Object.entries(tree)) {
    const common = { name, uid: 0, gid: 0, mtime: new Date(0), mode: 0o755 }
    if (name.endsWith('/')) archive.entry({ ...common, type: 'directory', mode: name === 'tmp/' ? 0o1777 : 0o755 })
    else if (typeof content === 'string' && content.startsWith('-> '))
      archive.entry({ ...common, type: 'symlink', linkname: content.slice(3) })
    else archive.entry({ ...common, mode: modes[name] ?? common.mode }, content)
  }
  archive.finalize()
  return await buffer(Readable.from(archive).pipe(createGzip({ level: 1 })))
}

/** A minimal root for stagers: the static busybox of the host, and the user `runner`. */
export async function busyboxTarball(): Promise<Buffer> {
  const { stdout } = await runProcess('busybox', ['--list'])
  const applets = stdout.split('\n').filter((name) => /^[a-z0-9]+$/.test(name) && name !== 'busybox')
  return await tarball({
    'app/': '',
    'bin/': '',
    'bin/busybox': await readFile('/bin/busybox'),
    ...Object.fromEntries(applets.map((name) => [`bin/${name}`, '-> busybox'])),
    'etc/': '',
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nrunner:x:99:99:runner:/app:/bin/sh\n',
    'etc/group': 'root:x:0:\nrunner:x:99:\n',
    'tmp/': '',
  })
}
