import { assertLocalName, assertNamespace, parseFqn } from '../../../base/fqn.js'
import { checkAt } from '../build-script/check-at.js'
import type { Entry, Value } from '../build-script/document.js'
import { stringOf } from '../build-script/fields.js'
import { parseDocument } from '../build-script/parse-document.js'
import { placesOf, type Places } from '../build-script/places.js'
import { readCapability, type PlacedCapability } from '../build-script/read-capabilities.js'
import { readEnvironment } from '../build-script/read-environment.js'
import { assertRelativePath } from '../build-script/script-paths.js'
import { METADATA_LIMITS } from '../metadata-change.js'
import type { Template } from '../metadata.js'
import { Mistakes } from '../syntax/mistakes.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import { DEFAULT_DELIMITERS } from '../template/fill-in.js'
import { parseTemplate } from '../template/parse-template.js'
import { assertCommand, assertDelimiter, canonicalTemplate } from '../validate.js'
import { BlockReader } from './block-reader.js'
import type { Manifest } from './manifest.js'
import { JOB_KEYS, readJob } from './read-job.js'
import { readResources } from './read-resources.js'

const STAGING_KEYS = [
  'name',
  'namespace',
  'staging_pipeline',
  'path',
  'start_cmd',
  'package_dependencies',
  'depends_on',
  'env',
  'templates',
  'resources',
] as const

/** A manifest, and where its values are in the text. */
export interface PlacedManifest {
  readonly manifest: Manifest
  /** By the keys of the text. A dependency is `package_dependencies/0`, by its index in `manifest`. */
  readonly places: Places
}

/** As `parseManifest`, with places: for what can be judged only later, such as whether a pipeline exists. */
export function parsePlacedManifest(source: string): PlacedManifest {
  const entries = parseDocument(source)
  const { manifest, dependencies } = readManifest(entries)
  const ofDependencies = Object.fromEntries(dependencies.map(({ at }, index) => [`package_dependencies/${index}`, at]))
  return { manifest, places: { ...placesOf(entries), ...ofDependencies } }
}

/**
 * Parses a manifest.
 *
 * Throws `DocumentSyntaxError`, or `DocumentMistakes` for several, both `bad-syntax`. A mistake in the grammar is the only
 * one of its document: what follows it cannot be read.
 */
export function parseManifest(source: string): Manifest {
  return readManifest(parseDocument(source)).manifest
}

/** As `parseManifest`, with the places that runs of its package need. */
export function parseKeptManifest(source: string): Manifest {
  const { manifest, places } = parsePlacedManifest(source)
  const ofRuns = Object.entries(places).filter(([key]) => JUDGED_BY_RUNS.test(key))
  return ofRuns.length === 0 ? manifest : { ...manifest, places: Object.fromEntries(ofRuns) }
}

/** Values of variables are filled in when the package runs, and its templates are looked for then. */
const JUDGED_BY_RUNS = /^(?:env\/.+|templates\/\d+\/path)$/s

function readManifest(entries: readonly Entry[]): {
  readonly manifest: Manifest
  readonly dependencies: readonly PlacedCapability[]
} {
  const mistakes = new Mistakes()
  const known = [...STAGING_KEYS, ...JOB_KEYS]
  const block = new BlockReader(entries, { line: 1, column: 1 }, known, 'a manifest', mistakes)
  const { dependencies } = readDependencies(block)
  const manifest: Manifest = {
    ...block.read('name', 'name', checked(assertLocalName)),
    ...block.read('namespace', 'namespace', checked(assertNamespace)),
    ...block.read('staging_pipeline', 'staging_pipeline', pipelineOf),
    ...block.read('path', 'path', pathOf),
    ...block.read('start_cmd', 'start_cmd', checked(assertCommand)),
    ...(dependencies ? { package_dependencies: dependencies.map(({ capability }) => capability) } : {}),
    ...block.read('env', 'env', (value) => readEnv(block, value, mistakes)),
    ...block.items('templates', (value) => readTemplate(value, mistakes)),
    ...block.read('resources', 'resources', (value) => readResources(value, mistakes)),
    ...readJob(block, mistakes),
  }
  assertSizes(block, manifest, mistakes)
  mistakes.throwIfAny()
  const { path, ...others } = manifest
  return { manifest: path === undefined || path === '' ? others : manifest, dependencies: dependencies ?? [] }
}

/** What would be too much for the metadata of a package. */
function assertSizes({ fields }: BlockReader, manifest: Manifest, mistakes: Mistakes): void {
  const { package_dependencies = [], env = {}, templates = [] } = manifest
  const all = { package_dependencies, env, templates }
  const { bytes, ...most } = METADATA_LIMITS
  const limits = { package_dependencies: most.dependencies, env: most.environment, templates: most.templates }
  for (const key of ['package_dependencies', 'env', 'templates'] as const) {
    const value = fields.get(key) ?? (key === 'package_dependencies' ? fields.get('depends_on') : undefined)
    const number = Object.keys(all[key]).length
    if (value && number > limits[key])
      mistakes.report(
        new DocumentSyntaxError(value.at, `at most ${limits[key]} entries in ${key}`, `${number} of them`),
      )
  }
  const size = Buffer.byteLength(JSON.stringify(all))
  if (size > bytes)
    mistakes.report(
      new DocumentSyntaxError({ line: 1, column: 1 }, 'at most 1 MiB of metadata in a manifest', `${size} bytes`),
    )
}

/** A string that passes `check`. */
function checked(check: (text: string) => void): (value: Value, key: string) => string {
  return (value, key) => {
    const text = stringOf(value, key)
    checkAt(value, () => check(text))
    return text
  }
}

/** `apcera::ruby` is `/apcera::ruby`. */
function pipelineOf(value: Value, key: string): string {
  const text = stringOf(value, key).replace(/^stagpipe::/, '')
  const pipeline = text.includes('::') && !text.startsWith('/') ? `/${text}` : text
  checkAt(value, () => parseFqn(pipeline, 'stagpipe', '/'))
  return pipeline
}

/** Without `.` and trailing slashes; empty for the directory itself. */
function pathOf(value: Value, key: string): string {
  const text = stringOf(value, key)
  const path = text
    .replace(/\/+$/, text.startsWith('/') ? '/' : '')
    .split('/')
    .filter((segment) => segment !== '.')
    .join('/')
  if (path !== '') checkAt(value, () => assertRelativePath(path, 'manifest'))
  return path
}

function readDependencies(block: BlockReader): { readonly dependencies?: readonly PlacedCapability[] } {
  const alias = block.fields.get('depends_on')
  if (alias && block.fields.get('package_dependencies'))
    return block.read('depends_on', 'dependencies', () => {
      throw new DocumentSyntaxError(alias.at, 'either package_dependencies or depends_on, which mean the same', 'both')
    })
  const key = alias ? 'depends_on' : 'package_dependencies'
  const { [key]: items } = block.items(key, readCapability)
  return items ? { dependencies: items.flat() } : {}
}

/** The values are templates, so their mistakes are known before anything is staged. */
function readEnv(block: BlockReader, value: Value, mistakes: Mistakes): Record<string, string> {
  const variables = readEnvironment(block.fields, 'env', (read) => mistakes.attempt(read))
  if (value.kind === 'block')
    for (const entry of value.entries) mistakes.attempt(() => assertTemplate(entry.value, variables[entry.key] ?? ''))
  return variables
}

function assertTemplate({ at }: Value, text: string): void {
  try {
    parseTemplate(text, DEFAULT_DELIMITERS)
  } catch (error) {
    if (!(error instanceof DocumentSyntaxError)) throw error
    const { expected, found, line, column } = error
    const place = line === 1 ? `character ${column}` : `line ${line}, character ${column}`
    throw new DocumentSyntaxError(at, `${expected}, at ${place} of this value`, found, { cause: error })
  }
}

function readTemplate(value: Value, mistakes: Mistakes): Template {
  const keys = ['path', 'left_delimiter', 'right_delimiter']
  const block = BlockReader.of(value, 'templates', keys, 'a template', mistakes)
  block.required('path')
  const { left, right } = DEFAULT_DELIMITERS
  const template = {
    path: block.fields.string('path') ?? '',
    left_delimiter: block.fields.string('left_delimiter') ?? left,
    right_delimiter: block.fields.string('right_delimiter') ?? right,
  }
  let canonical: Template = template
  for (const key of ['left_delimiter', 'right_delimiter'] as const)
    checkAt(block.fields.get(key) ?? value, () => assertDelimiter(template[key], template.path))
  checkAt(block.fields.get('path') ?? value, () => (canonical = canonicalTemplate(template)))
  return canonical
}
