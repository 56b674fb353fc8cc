import { isUtf8 } from 'node:buffer'
import { posix } from 'node:path'
import { BadInput } from '../../base/errors.js'
import type { RootTemplate } from '../../isolation/isolation.js'
import type { Limits } from '../../isolation/launch-plan.js'
import { sameTemplate } from '../packages/manifest/apply-manifest.js'
import type { Manifest } from '../packages/manifest/manifest.js'
import type { Template } from '../packages/metadata.js'
import type { Package } from '../packages/package.js'
import { DocumentSyntaxError } from '../packages/syntax/syntax-error.js'
import { fillIn } from '../packages/template/fill-in.js'
import type { TemplateData } from '../packages/template/template-values.js'
import { startPathOf } from '../packages/environment.js'

type Environment = Readonly<Record<string, string>>

/** The values that templates of a run have. */
export function templateDataOf(
  id: string,
  { name, manifest = {} }: Pick<Package, 'name' | 'manifest'>,
  limits: Limits,
  env: Environment,
): TemplateData {
  const { ports = [], tags = {} } = manifest
  return {
    uuid: id,
    name,
    num_instances: 1,
    cpu: Math.round(limits.cpus * 1000),
    memory: limits.memoryBytes,
    disk: limits.diskBytes,
    port: Number(env.PORT) || (ports.find(({ number }) => number > 0)?.number ?? 0),
    env,
    tags: Object.entries(tags).map(([Name, Value]) => ({ Name, Value })),
  }
}

/**
 * The variables of `manifest`, filled in, as far as they are in force in `environment`: a value from elsewhere is no
 * template. Throws `BadInput` (`bad-template`).
 */
export function fillInVariables(
  manifest: Manifest | undefined,
  environment: Environment,
  data: TemplateData,
): Environment {
  const filled = Object.entries(manifest?.env ?? {})
    .filter(([name, value]) => environment[name] === value)
    .map(([name, value]): [string, string] => [name, filledIn(`The value of ${name}`, () => fillIn(value, data))])
  return { ...environment, ...Object.fromEntries(filled) }
}

/** The templates of packages. */
export function rootTemplates(closure: readonly Package[], data: TemplateData): RootTemplate[] {
  const start = startPathOf(data.env) ?? '/'
  return closure.flatMap(({ templates, manifest }) =>
    templates.map((template) => ({
      paths: pathsOf(template, start, manifest),
      fillIn: (path, content) => filledFile(path, content, template, data),
    })),
  )
}

/**
 * Stagers name files from the root, a manifest those of its application, which is in START_PATH. Each may do as the other
 * where nothing is there.
 */
function pathsOf(template: Template, start: string, manifest: Manifest | undefined): string[] {
  const paths = [posix.join('/', template.path), posix.join(start, template.path)]
  const ofManifest = manifest?.templates?.some(sameTemplate(template)) === true
  return [...new Set(ofManifest ? paths.reverse() : paths)]
}

function filledFile(path: string, content: Buffer, template: Template, data: TemplateData): Buffer {
  if (!isUtf8(content))
    throw new BadInput('bad-template', `The template ${path} is not text in UTF-8: take it from the templates.`)
  const delimiters = { left: template.left_delimiter, right: template.right_delimiter }
  return Buffer.from(filledIn(`The template ${path}`, () => fillIn(content.toString('utf8'), data, delimiters)))
}

/** Adds what has the mistake to its message. */
function filledIn(what: string, fill: () => string): string {
  try {
    return fill()
  } catch (error) {
    if (!(error instanceof DocumentSyntaxError)) throw error
    const { line, column, expected, found } = error
    throw new BadInput(
      'bad-template',
      `${what} cannot be filled in: line ${line}, column ${column}: expected ${expected}, found ${found}.`,
      { cause: error },
    )
  }
}
