import { existsSync } from 'node:fs'
import { lstat, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../../base/errors.js'

/** What can happen to files on a disk. */
export const DAMAGES = {
  'bits are flipped': async (file: string) => {
    const bytes = await readFile(file)
    for (let at = 0; at < bytes.length; at += 4096) bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(file, bytes)
  },
  'files are cut short': async (file: string) => truncate(file, Math.floor((await lstat(file)).size / 2)),
  'files are empty': (file: string) => truncate(file, 0),
  'files are gone': (file: string) => rm(file),
  'files are links': async (file: string) => {
    await rm(file)
    await symlink('/etc/passwd', file)
  },
  'files are directories': async (file: string) => {
    await rm(file)
    await mkdir(path.join(file, 'within'), { recursive: true })
  },
} satisfies Readonly<Record<string, (file: string) => Promise<unknown>>>
export type Damage = keyof typeof DAMAGES

/**
 * Damages every file of the caches of a node, while no launch has one.
 *
 * @param which the files that stagers have kept, the lists of layers, or both
 * @param packageUuid only caches for this package
 * @returns how many files
 */
export async function damageCaches(
  stateDirectory: string,
  damage: Damage,
  which: 'kept' | 'lists' | 'both',
  packageUuid = '',
): Promise<number> {
  const caches = path.join(stateDirectory, 'caches')
  let damaged = 0
  for (const name of existsSync(caches) ? await readdir(caches, { recursive: true }) : []) {
    if (!name.startsWith(packageUuid)) continue
    const file = path.join(caches, name)
    const isList = path.basename(name) === 'layers.json'
    const isChosen = which === 'both' || isList === (which === 'lists')
    if (!isChosen || !(await lstat(file).catch(() => undefined))?.isFile()) continue
    try {
      await DAMAGES[damage](file)
      damaged += 1
    } catch (error) {
      // Of a package that has been deleted: the node removes its caches meanwhile.
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
  return damaged
}
