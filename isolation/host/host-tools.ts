import { lstat, open, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline, type Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { pack, type Pack } from 'tar-stream'
import { errnoOf, Unavailable } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'

/** What the recipes of operating systems run; each is looked for in `DIRECTORIES`. */
const PROGRAMS = [
  ...['bash', 'sh', 'awk', 'grep', 'sed', 'find', 'tar', 'gzip', 'gunzip', 'xz', 'unxz', 'curl', 'wget', 'perl'],
  ...['basename', 'cat', 'chgrp', 'chmod', 'chown', 'chroot', 'cp', 'cut', 'date', 'dirname', 'echo', 'env', 'expr'],
  ...['head', 'id', 'install', 'ln', 'ls', 'md5sum', 'mkdir', 'mkfifo', 'mknod', 'mktemp', 'mv', 'printf', 'readlink'],
  ...['rm', 'rmdir', 'sha256sum', 'sleep', 'sort', 'stat', 'sync', 'tail', 'tee', 'touch', 'tr', 'true', 'uname'],
  ...['uniq', 'wc', 'mount', 'umount', 'debootstrap', 'gpgv', 'dpkg', 'dpkg-deb'],
] as const

/** Of use, and not needed: zstd for packages of newer suites, busybox for the recipe of that name. */
const OPTIONAL_PROGRAMS = ['zstd', 'bunzip2', 'bzip2', 'ar', 'busybox'] as const

const DIRECTORIES = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Trees and files that these programs read. */
const DATA = ['/usr/share/debootstrap', '/usr/share/keyrings/debian-archive-keyring.gpg'] as const
const OPTIONAL_DATA = ['/etc/ssl/certs/ca-certificates.crt'] as const

/** What installs them, for the message. */
const PACKAGES = 'debootstrap gpgv debian-archive-keyring wget curl perl-base dpkg'

const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1')

/**
 * A gzipped tar with full paths of the programs with which a recipe builds an operating system, with the libraries that
 * they load: enough of a root to run them in a container. Nothing of it is run here but ldd.
 *
 * Throws `Unavailable` (`host-tools-missing`), which names what the host lacks.
 */
export async function packHostTools(): Promise<Readable> {
  const files = new Set<string>()
  const missing: string[] = []
  for (const program of [...PROGRAMS, ...OPTIONAL_PROGRAMS]) {
    const found = await findProgram(program)
    if (found !== undefined) files.add(found)
    else if ((PROGRAMS as readonly string[]).includes(program)) missing.push(program)
  }
  for (const data of [...DATA, ...OPTIONAL_DATA]) {
    if (await isThere(data)) for (const file of await filesBelow(data)) files.add(file)
    else if ((DATA as readonly string[]).includes(data)) missing.push(data)
  }
  if (missing.length > 0)
    throw new Unavailable(
      'host-tools-missing',
      `An operating system cannot be built, because this host lacks ${missing.join(', ')}: install ${PACKAGES}, or import packages with \`stagectl bootstrap --from FILE\`.`,
    )
  for (const library of await librariesOf([...files])) files.add(library)
  const tar = pack()
  // An error reaches the reader through the streams.
  void writeTree(tar, [...files].sort()).catch((error: unknown) => tar.destroy(error as Error))
  return pipeline(tar, createGzip({ level: 1 }), () => undefined)
}

async function writeTree(tar: Pack, files: readonly string[]): Promise<void> {
  const mtime = new Date(0)
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'])
    if (await isLink(`/${name}`)) tar.entry({ name, type: 'symlink', linkname: await readlink(`/${name}`), mtime })
  tar.entry({ name: 'root', type: 'directory', mode: 0o700, mtime })
  tar.entry({ name: 'tmp', type: 'directory', mode: 0o1777, mtime })
  tar.entry({ name: 'etc/passwd', mode: 0o644, mtime }, 'root:x:0:0:root:/root:/bin/sh\n')
  tar.entry({ name: 'etc/group', mode: 0o644, mtime }, 'root:x:0:\n')
  const written = new Set<string>()
  for (const file of files) {
    // The directories above may be links too, such as /lib.
    const place = path.join(await realpath(path.dirname(file)), path.basename(file))
    const real = await realpath(file)
    if (real !== place && !written.has(place)) {
      written.add(place)
      tar.entry({ name: place.slice(1), type: 'symlink', linkname: real, mtime })
    }
    if (written.has(real)) continue
    written.add(real)
    const { mode } = await stat(real)
    tar.entry({ name: real.slice(1), mode: mode & 0o755, mtime }, await readFile(real))
  }
  tar.finalize()
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of DIRECTORIES) {
    const file = path.join(directory, name)
    if (await isThere(file)) return file
  }
  return undefined
}

async function filesBelow(start: string): Promise<readonly string[]> {
  if (!(await stat(start)).isDirectory()) return [start]
  const entries = await readdir(start, { recursive: true, withFileTypes: true })
  const found = entries.filter((entry) => !entry.isDirectory()).map((one) => path.join(one.parentPath, one.name))
  const there = await Promise.all(found.map(isThere))
  return found.filter((_file, index) => there[index])
}

/** The libraries of all programs, and their loader. */
async function librariesOf(files: readonly string[]): Promise<readonly string[]> {
  const programs: string[] = []
  for (const file of files) if (await isElf(file)) programs.push(file)
  // ldd fails for a static program, which has nothing to say.
  const script = 'for file; do ldd "$file" 2>/dev/null || true; done'
  const { stdout } = await runProcess('/bin/sh', ['-c', script, 'ldd', ...programs])
  return [...new Set([...stdout.matchAll(/(?:^\t|=> )(\/\S+) \(0x/gm)].map(([, library = '']) => library))]
}

async function isElf(file: string): Promise<boolean> {
  const handle = await open(file, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(ELF_MAGIC.length), 0, ELF_MAGIC.length, 0)
    return bytesRead === ELF_MAGIC.length && buffer.equals(ELF_MAGIC)
  } finally {
    await handle.close()
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}

async function isLink(file: string): Promise<boolean> {
  return await lstat(file).then(
    (found) => found.isSymbolicLink(),
    () => false,
  )
}
