import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import { assertImageReference } from '../image-reference.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import type { BuildScript } from './build-script.js'
import { checkAt } from './check-at.js'
import { describe, Fields, stringOf } from './fields.js'
import { parseDocument } from './parse-document.js'
import { readCapabilities } from './read-capabilities.js'
import { readEnvironment } from './read-environment.js'
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
    provides: readCapabilities(script, 'provides'),
    depends: readCapabilities(script, 'depends'),
    buildDepends: readCapabilities(script, 'build_depends'),
    environment: readEnvironment(script, 'environment'),
    sources: script.list('sources').map(readSource),
    includeFiles: texts(script, 'include_files', (text) => assertRelativePath(text)),
    cleanup: texts(script, 'cleanup', absolutePath).map(absolutePath),
    snapshotPath: snapshotPath === undefined ? undefined : absolutePath(snapshotPath),
    image,
    build: image === undefined ? body(script) : '',
  }
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
