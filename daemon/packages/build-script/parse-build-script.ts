import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import { BadInput } from '../../../base/errors.js'
import { CAPABILITY_TYPES, type Capability } from '../metadata.js'
import { assertImageReference } from '../image-reference.js'
import { SyntaxFault } from '../syntax/syntax-error.js'
import { assertCapability, assertEnvironmentKey, assertEnvironmentValue } from '../validate.js'
import type { BuildScript } from './build-script.js'
import type { Entry, Value } from './document.js'
import { assertOnce, blockOf, describe, Fields, textOf } from './fields.js'
import { parseDocument } from './parse-document.js'
import { readSource } from './read-source.js'
import { assertAbsolute, assertBeside } from './script-paths.js'

export const BUILD_SCRIPT_KEYS = [
  'name',
  'namespace',
  'version',
  'description',
  'sources',
  'include_files',
  'build_depends',
  'depends',
  'provides',
  'environment',
  'cleanup',
  'snapshot_path',
  'image',
  'build',
] as const

/** What speaks of a build, and so of nothing where the package is an image. */
const KEYS_OF_A_BUILD = ['build', 'sources', 'include_files', 'build_depends', 'snapshot_path'] as const

/**
 * What a build script says. Throws `SyntaxFault` (`bad-syntax`) with the place of the first mistake, be it one of the
 * language or one of its words.
 */
export function parseBuildScript(source: string): BuildScript {
  const script = new Fields(parseDocument(source), { line: 1, column: 1 }, BUILD_SCRIPT_KEYS, 'a build script')
  script.required('name', 'a build script')
  const checked = (key: string, check: (text: string) => void): string | undefined => {
    const value = script.get(key)
    if (!value) return undefined
    const text = textOf(value, key)
    allowed(value, () => check(text))
    return text
  }
  const image = checked('image', assertImageReference)
  if (image !== undefined) refuseBuild(script)
  return {
    name: checked('name', assertLocalName) ?? '',
    namespace: checked('namespace', assertNamespace),
    version: script.text('version'),
    description: script.text('description'),
    provides: capabilities(script, 'provides'),
    depends: capabilities(script, 'depends'),
    buildDepends: capabilities(script, 'build_depends'),
    environment: environment(script),
    sources: script.list('sources').map(readSource),
    includeFiles: texts(script, 'include_files', assertBeside),
    cleanup: texts(script, 'cleanup', assertAbsolute),
    snapshotPath: checked('snapshot_path', assertAbsolute),
    image,
    build: image === undefined ? body(script) : '',
  }
}

/** A block for each (`{ package: "ruby" }`), as in scripts, or a text (`"package.ruby"`), as in manifests. */
function capabilities(script: Fields, key: string): Capability[] {
  return script.list(key).flatMap((item): Capability[] => {
    if (item.kind === 'text') return [capability(item, item.text)]
    const { entries, at } = blockOf(item, key)
    if (entries.length === 0) throw new SyntaxFault(at, `a type and a name, such as { os: "linux" }`, 'an empty block')
    return entries.map((entry) => {
      if (!(CAPABILITY_TYPES as readonly string[]).includes(entry.key))
        throw new SyntaxFault(entry.at, `a type (${CAPABILITY_TYPES.join(', ')})`, JSON.stringify(entry.key))
      return capability(entry.value, `${entry.key}.${textOf(entry.value, entry.key)}`)
    })
  })
}

function capability(value: Value, text: string): Capability {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((known) => known === text.slice(0, dot))
  if (dot < 0 || type === undefined)
    throw new SyntaxFault(value.at, `a type (${CAPABILITY_TYPES.join(', ')}), a dot and a name`, describe(value))
  const found = { type, name: text.slice(dot + 1) }
  allowed(value, () => assertCapability(found))
  return found
}

function environment(script: Fields): Record<string, string> {
  const value = script.get('environment')
  if (!value) return {}
  const found = new Map<string, Entry>()
  for (const entry of blockOf(value, 'environment').entries) {
    assertOnce(entry, found.get(entry.key))
    const text = textOf(entry.value, entry.key)
    allowed(entry, () => assertEnvironmentKey(entry.key))
    allowed(entry.value, () => assertEnvironmentValue(entry.key, text))
    found.set(entry.key, entry)
  }
  return Object.fromEntries([...found].map(([key, entry]) => [key, textOf(entry.value, key)]))
}

function texts(script: Fields, key: string, check: (text: string) => void): string[] {
  return script.list(key).map((item) => {
    const text = textOf(item, key)
    allowed(item, () => check(text))
    return text
  })
}

function refuseBuild(script: Fields): void {
  for (const key of KEYS_OF_A_BUILD) {
    const value = script.get(key)
    if (value)
      throw new SyntaxFault(value.at, `either image or ${key}: nothing is built where the package is an image`, `both`)
  }
}

function body(script: Fields): string {
  const value = script.get('build')
  if (!value) throw new SyntaxFault(script.at, 'the key build, or the key image', 'a build script without either')
  if (value.kind !== 'body')
    throw new SyntaxFault(value.at, 'a body in ( ) for build, ended by a ) in column 0', describe(value))
  return value.text
}

/** What is wrong with a word itself is told in the words of whoever knows, with the place of it. */
function allowed({ at }: { readonly at: Value['at'] }, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof BadInput)) throw error
    throw new SyntaxFault(at, 'something that is allowed there', `this: ${error.message.replace(/\.$/, '')}`, {
      cause: error,
    })
  }
}
