import { assertLocalName, assertNamespace, parseFqn } from '../../../base/fqn.js'
import { checkAt } from '../build-script/check-at.js'
import type { Value } from '../build-script/document.js'
import { stringOf } from '../build-script/fields.js'
import { parseDocument } from '../build-script/parse-document.js'
import { readCapabilities } from '../build-script/read-capabilities.js'
import { readEnvironment } from '../build-script/read-environment.js'
import { assertRelativePath } from '../build-script/script-paths.js'
import type { Template } from '../metadata.js'
import { Mistakes } from '../syntax/mistakes.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import { DEFAULT_DELIMITERS } from '../template/fill-in.js'
import { parseTemplate } from '../template/parse-template.js'
import { assertCommand, canonicalTemplate } from '../validate.js'
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

/**
 * Parses a manifest.
 *
 * Throws `DocumentSyntaxError`, or `DocumentMistakes` for several, both `bad-syntax`. A mistake in the grammar is the only
 * one of its document: what follows it cannot be read.
 */
export function parseManifest(source: string): Manifest {
  const mistakes = new Mistakes()
  const known = [...STAGING_KEYS, ...JOB_KEYS]
  const block = new BlockReader(parseDocument(source), { line: 1, column: 1 }, known, 'a manifest', mistakes)
  const manifest: Manifest = {
    ...block.read('name', 'name', checked(assertLocalName)),
    ...block.read('namespace', 'namespace', checked(assertNamespace)),
    ...block.read('staging_pipeline', 'staging_pipeline', pipelineOf),
    ...block.read('path', 'path', pathOf),
    ...block.read('start_cmd', 'start_cmd', checked(assertCommand)),
    ...readDependencies(block),
    ...block.read('env', 'env', (value) => readEnv(block, value, mistakes)),
    ...block.items('templates', (value) => readTemplate(value, mistakes)),
    ...block.read('resources', 'resources', (value) => readResources(value, mistakes)),
    ...readJob(block, mistakes),
  }
  mistakes.throwIfAny()
  const { path, ...others } = manifest
  return path === undefined || path === '' ? others : manifest
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

function readDependencies(block: BlockReader): Pick<Manifest, 'package_dependencies'> {
  const read = (key: string) => block.read(key, 'package_dependencies', () => readCapabilities(block.fields, key))
  const alias = block.fields.get('depends_on')
  if (!alias) return read('package_dependencies')
  if (!block.fields.get('package_dependencies')) return read('depends_on')
  return block.read('depends_on', 'package_dependencies', () => {
    throw new DocumentSyntaxError(alias.at, 'either package_dependencies or depends_on, which mean the same', 'both')
  })
}

/** The values are templates, so their mistakes are known before anything is staged. */
function readEnv(block: BlockReader, value: Value, mistakes: Mistakes): Record<string, string> {
  const variables = readEnvironment(block.fields, 'env')
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
  checkAt(block.fields.get('path') ?? value, () => (canonical = canonicalTemplate(template)))
  return canonical
}
