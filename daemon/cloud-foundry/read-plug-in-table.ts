import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { BadInput, messageOf } from '../../base/errors.js'
import { plugInTable, type PlugInFile, type PlugInTable } from './plug-in-table.js'

/**
 * The frameworks and runtimes that ship with stagerd, and those of a directory.
 *
 * Throws `BadInput` (`bad-frameworks`).
 *
 * @param installation the directory in which stagerd is installed
 */
export async function readPlugInTable(installation: string, directory: string | undefined): Promise<PlugInTable> {
  try {
    const own =
      directory === undefined ? [] : (await readdir(directory)).filter((name) => name.endsWith('.toml')).sort()
    const files = [
      path.join(installation, 'stagers/cloud-foundry.toml'),
      ...own.map((name) => path.join(directory ?? '', name)),
    ]
    return plugInTable(
      await Promise.all(files.map(async (name): Promise<PlugInFile> => ({ name, text: await readFile(name, 'utf8') }))),
    )
  } catch (error) {
    if (error instanceof BadInput) throw error
    throw new BadInput('bad-frameworks', `The frameworks of Cloud Foundry cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}
