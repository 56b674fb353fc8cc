import { constants } from 'node:fs'
import { access, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { Fault, messageOf } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { runProcess } from '../../base/run-process.js'
import { parseBuildScript } from '../packages/build-script/parse-build-script.js'
import { parseCatalogue, type CatalogueEntry } from './catalogue.js'
import { parseCapability } from './parse-capability.js'
import { HOST_TOOLS, namespaceOf, type Recipe, type RecipeOf, type ShippedFile } from './recipe.js'

/** Files of a recipe that say nothing about the tree. */
const OUTSIDE_OF_RECIPE = ['metadata.json', 'inputs']

/**
 * Reads the recipes that ship with stagerd: those of images/, and the stagers of stagers/catalogue.toml.
 *
 * Throws `Fault` (`bad-installation`) where a file is missing or is not valid.
 *
 * @param directory in which stagerd is installed
 * @param mirror of Debian, instead of that of the host
 */
export async function readShipped(directory: string, mirror: string | undefined): Promise<readonly Recipe[]> {
  try {
    const [images, stagers] = [path.join(directory, 'images'), path.join(directory, 'stagers')]
    const [ofImages, ofStagers] = await Promise.all([
      readTree(path.join(images, 'lib')),
      readTree(path.join(stagers, 'lib')),
    ])
    const directories = (await readdir(images, { withFileTypes: true })).filter((entry) => entry.isDirectory())
    const places = directories.map(({ name }) => path.join(images, name)).sort()
    const entries = parseCatalogue(await readFile(path.join(stagers, 'catalogue.toml'), 'utf8'))
    const recipes: readonly (readonly Recipe[])[] = await Promise.all([
      // Operating systems first: of several that provide the same, the first is taken.
      ...places.map((place) => readSystem(place, ofImages, mirror)),
      ...places.map((place) => readScripts(place)),
      ...entries.map((entry) => readStager(entry, stagers, ofStagers)),
    ])
    return [hostTools(), ...recipes.flat()]
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault(
      'bad-installation',
      `What ships with stagerd cannot be read from ${directory}: ${messageOf(error)}; install stagerd again.`,
      { cause: error },
    )
  }
}

function hostTools(): RecipeOf<'host-tools'> {
  const name = { namespace: '/apcera/pkg/os', name: 'host-tools' }
  const metadata = { provides: [HOST_TOOLS], dependencies: [], environment: {}, templates: [] }
  return { kind: 'host-tools', fqn: formatFqn('package', name), ...name, metadata }
}

/** Recipes of operating systems. Others need programs of the host that a container does not have. */
async function readSystem(
  directory: string,
  library: readonly ShippedFile[],
  mirror: string | undefined,
): Promise<readonly RecipeOf<'system'>[]> {
  if (!(await isThere(path.join(directory, 'recipe')))) return []
  const { namespace, name, provides, depends, environment } = JSON.parse(
    await readFile(path.join(directory, 'metadata.json'), 'utf8'),
  ) as {
    readonly namespace: string
    readonly name: string
    readonly provides: readonly string[]
    readonly depends: readonly string[]
    readonly environment: Readonly<Record<string, string>>
  }
  if (depends.length > 0) return []
  const files = (await readTree(directory)).filter(
    (file) => !OUTSIDE_OF_RECIPE.includes(file.path) && !file.path.endsWith('.conf'),
  )
  const metadata = { provides: provides.map(parseCapability), dependencies: [], environment, templates: [] }
  const inputs = () => readInputs(directory, mirror)
  return [
    {
      kind: 'system',
      fqn: formatFqn('package', { namespace, name }),
      namespace,
      name,
      files,
      library,
      inputs,
      metadata,
    },
  ]
}

async function readInputs(directory: string, mirror: string | undefined): Promise<string> {
  const program = path.join(directory, 'inputs')
  if (!(await isThere(program))) return ''
  const { stdout } = await runProcess(program, [], {
    timeoutMs: 30_000,
    env: mirror === undefined ? {} : { STAGERD_DEBIAN_MIRROR: mirror },
  })
  return stdout
}

async function readScripts(directory: string): Promise<readonly RecipeOf<'script'>[]> {
  const found: RecipeOf<'script'>[] = []
  for (const file of (await readdir(directory)).filter((name) => name.endsWith('.conf')).sort()) {
    const text = await readFile(path.join(directory, file), 'utf8')
    const script = parseBuildScript(text)
    const { name, namespace } = script
    if (namespace === undefined) throw new Error(`${path.join(directory, file)} names no namespace`)
    const fqn = formatFqn('package', { namespace, name })
    const includes: ShippedFile[] = []
    for (const include of script.includeFiles) includes.push(await readShippedFile(directory, include))
    found.push({ kind: 'script', fqn, namespace, name, text, script, includes })
  }
  return found
}

/** With the libraries that its programs in bash source, beside them. */
async function readStager(
  entry: CatalogueEntry,
  stagers: string,
  library: readonly ShippedFile[],
): Promise<readonly RecipeOf<'stager'>[]> {
  const { name } = entry
  const files = [...(await readTree(path.join(stagers, name)))]
  // A library may source another one, so the list grows on the way.
  for (const { content } of files)
    for (const one of library)
      if (!files.includes(one) && one.path.endsWith('.sh') && content.includes(`/${one.path}"`)) files.push(one)
  const named = { namespace: namespaceOf(entry), name }
  return [{ kind: 'stager', fqn: formatFqn('job', named), ...named, entry, files }]
}

async function readTree(directory: string): Promise<readonly ShippedFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name))
  return await Promise.all(paths.sort().map((file) => readShippedFile(directory, path.relative(directory, file))))
}

async function readShippedFile(directory: string, file: string): Promise<ShippedFile> {
  const full = path.join(directory, file)
  const [{ mode }, content] = await Promise.all([stat(full), readFile(full)])
  return { path: file, executable: (mode & 0o100) !== 0, content }
}

function isThere(file: string): Promise<boolean> {
  return access(file, constants.F_OK).then(
    () => true,
    () => false,
  )
}
