import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import { BadInput } from '../../../base/errors.js'
import { CAPABILITY_TYPES, type Capability } from '../metadata.js'
import { assertImageReference } from '../image-reference.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import { assertCapability, assertEnvironmentKey, assertEnvironmentValue } from '../validate.js'
import type { BuildScript } from './build-script.js'
import type { Entry, Value } from './document.js'
import { assertUnique, blockOf, describe, Fields, stringOf } from './fields.js'
import { parseDocument } from './parse-document.js'
import { readSource } from './read-source.js'
import { absolutePath, assertRelativePath } from './script-paths.js'

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

/** Keys that describe a build. They are not allowed when the package is made from an image. */
const BUILD_KEYS = ['build', 'sources', 'include_files', 'build_depends', 'snapshot_path'] as const

/**
 * Parses a build script. Throws `DocumentSyntaxError` (`bad-syntax`) with the position of the first error, in the
 * grammar or in a value.
 */
export function parseBuildScript(source: string): BuildScript {
  const script = new Fields(parseDocument(source), { line: 1, column: 1 }, BUILD_SCRIPT_KEYS, 'a build script')
  script.required('name', 'a build script')
  const checked = (key: string, check: (text: string) => void): string | undefined => {
    const value = script.get(key)
    if (!value) return undefined
    const text = stringOf(value, key)
    checkAt(value, () => check(text))
    return text
  }
  const image = checked('image', assertImageReference)
  if (image !== undefined) refuseBuild(script)
  const snapshotPath = checked('snapshot_path', absolutePath)
  return {
    name: checked('name', assertLocalName) ?? '',
    namespace: checked('namespace', assertNamespace),
    version: script.string('version'),
    description: script.string('description'),
    provides: capabilities(script, 'provides'),
    depends: capabilities(script, 'depends'),
    buildDepends: capabilities(script, 'build_depends'),
    environment: environment(script),
    sources: script.list('sources').map(readSource),
    includeFiles: texts(script, 'include_files', assertRelativePath),
    cleanup: texts(script, 'cleanup', absolutePath).map(absolutePath),
    snapshotPath: snapshotPath === undefined ? undefined : absolutePath(snapshotPath),
    image,
    build: image === undefined ? body(script) : '',
  }
}

/** Each item is a block (`{ package: "ruby" }`), as in scripts, or a string (`"package.ruby"`), as in manifests. */
function capabilities(script: Fields, key: string): Capability[] {
  return script.list(key).flatMap((item): Capability[] => {
    if (item.kind === 'string') return [capability(item, item.text)]
    const { entries, at } = blockOf(item, key)
    if (entries.length === 0)
      throw new DocumentSyntaxError(at, `a type and a name, such as { os: "linux" }`, 'an empty block')
    return entries.map((entry) => {
      if (!(CAPABILITY_TYPES as readonly string[]).includes(entry.key))
        throw new DocumentSyntaxError(entry.at, `a type (${CAPABILITY_TYPES.join(', ')})`, JSON.stringify(entry.key))
      return capability(entry.value, `${entry.key}.${stringOf(entry.value, entry.key)}`)
    })
  })
}

function capability(value: Value, text: string): Capability {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((known) => known === text.slice(0, dot))
  if (dot < 0 || type === undefined)
    throw new DocumentSyntaxError(
      value.at,
      `a type (${CAPABILITY_TYPES.join(', ')}), a dot and a name`,
      describe(value),
    )
  const found = { type, name: text.slice(dot + 1) }
  checkAt(value, () => assertCapability(found))
  return found
}

function environment(script: Fields): Record<string, string> {
  const value = script.get('environment')
  if (!value) return {}
  const found = new Map<string, Entry>()
  for (const entry of blockOf(value, 'environment').entries) {
    assertUnique(entry, found.get(entry.key))
    const text = stringOf(entry.value, entry.key)
    checkAt(entry, () => assertEnvironmentKey(entry.key))
    checkAt(entry.value, () => assertEnvironmentValue(entry.key, text))
    found.set(entry.key, entry)
  }
  return Object.fromEntries([...found].map(([key, entry]) => [key, stringOf(entry.value, key)]))
}

function texts(script: Fields, key: string, check: (text: string) => void): string[] {
  return script.list(key).map((item) => {
    const text = stringOf(item, key)
    checkAt(item, () => check(text))
    return text
  })
}

function refuseBuild(script: Fields): void {
  for (const key of BUILD_KEYS) {
    const value = script.get(key)
    if (value)
      throw new DocumentSyntaxError(
        value.at,
        `either image or ${key}: a package made from an image is not built`,
        `both`,
      )
  }
}

function body(script: Fields): string {
  const value = script.get('build')
  if (!value)
    throw new DocumentSyntaxError(script.at, 'the key build, or the key image', 'a build script without either')
  if (value.kind !== 'body')
    throw new DocumentSyntaxError(value.at, 'a body in ( ) for build, closed by a ) in column 0', describe(value))
  return value.text
}

/** Runs `check` on a value and adds the position of the value to the error. */
function checkAt({ at }: { readonly at: Value['at'] }, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof BadInput)) throw error
    throw new DocumentSyntaxError(at, 'a valid value', `an invalid one: ${error.message.replace(/\.$/, '')}`, {
      cause: error,
    })
  }
}
