import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { parseCatalogue } from './catalogue.js'
import { namespaceOf } from './recipe.js'

/**
 * Full names of the pipelines that ship with stagerd; none in an installation without stagers.
 *
 * @param directory in which stagerd is installed
 */
export async function shippedPipelines(directory: string): Promise<readonly string[]> {
  try {
    const entries = parseCatalogue(await readFile(path.join(directory, 'stagers/catalogue.toml'), 'utf8'))
    return entries.map((one) => formatFqn('stagpipe', { namespace: namespaceOf(one), name: one.name }))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
