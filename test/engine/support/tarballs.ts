import { createWriteStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { runProcess } from '../../../base/run-process.js'
import { MADE, madeTarball } from './made-file.js'
import { CHECKOUT } from './private-daemon.js'

/**
 * Maps paths to contents; a path with a trailing slash is a directory. Files are executable, everything belongs to
 * `runner`.
 */
export type Tree = Readonly<Record<string, string | Buffer>>

/** Creates a gzipped tarball of a declared tree. */
export async function tarballOf(file: string, tree: Tree): Promise<string> {
  const tar = pack()
  for (const [name, content] of Object.entries(tree)) {
    const owner = { uid: 99, gid: 99, mode: 0o755, mtime: new Date(0) }
    if (name.endsWith('/')) tar.entry({ name, type: 'directory', ...owner })
    else tar.entry({ name, ...owner }, content)
  }
  tar.finalize()
  await pipeline(tar, createGzip({ level: 1 }), createWriteStream(file))
  return file
}

/** The program of a stager: files in /app. */
export function stagerTarball(file: string, files: Tree): Promise<string> {
  return tarballOf(file, {
    'app/': '',
    ...Object.fromEntries(Object.entries(files).map(([name, content]) => [`app/${name}`, content])),
  })
}

/** Reads the files of a directory as a tree. */
export async function treeOf(directory: string): Promise<Tree> {
  const names = await readdir(directory, { recursive: true })
  const tree: Record<string, Buffer> = {}
  for (const name of names.sort()) {
    const file = path.join(directory, name)
    if ((await stat(file)).isFile()) tree[name] = await readFile(file)
  }
  return tree
}

type Recipe = 'busybox' | 'debian-12' | 'node'

const recipes = new Map<Recipe, Promise<string>>()

/**
 * The tarball of a recipe in images/, built unless it is in the cache. Debian takes a minute: where a bootstrap has run its
 * recipe before, it is what that has made.
 */
export function recipeTarball(name: Recipe): Promise<string> {
  const made = name === 'debian-12' ? MADE : undefined
  const tarball = recipes.get(name) ?? (made === undefined ? buildRecipe(name) : madeTarball(made, name))
  recipes.set(name, tarball)
  return tarball
}

async function buildRecipe(name: Recipe): Promise<string> {
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const { stdout } = await runProcess(path.join(CHECKOUT, 'images/build'), [name], {
    env: { ...environment, NODE_EXTRA_CA_CERTS: environment['CERTIFICATES_OF_HOST'] ?? '' },
  })
  return stdout.trim().split('\n').at(-1) ?? ''
}
