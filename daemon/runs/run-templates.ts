import { isUtf8 } from 'node:buffer'
import { posix } from 'node:path'
import { BadInput } from '../../base/errors.js'
import { placed } from '../../base/mistake-at.js'
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
 * template. Throws `bad-template`.
 */
export function fillInVariables(
  manifest: Manifest | undefined,
  environment: Environment,
  data: TemplateData,
): Environment {
  const filled = Object.entries(manifest?.env ?? {})
    .filter(([name, value]) => environment[name] === value)
    .map(([name, value]): [string, string] => {
      const place = placeOf(manifest, `env/${name}`)
      return [name, filledIn(`The value of ${name}`, place, () => fillIn(value, data))]
    })
  return { ...environment, ...Object.fromEntries(filled) }
}

/** The templates of packages. */
export function rootTemplates(closure: readonly Package[], data: TemplateData): RootTemplate[] {
  const start = startPathOf(data.env) ?? '/'
  return closure.flatMap(({ templates, manifest }) =>
    templates.map((template) => {
      const index = manifest?.templates?.findIndex(sameTemplate(template)) ?? -1
      return {
        paths: pathsOf(template, start, index >= 0),
        place: placeOf(manifest, `templates/${index}/path`),
        fillIn: (path, content) => filledFile(path, content, template, data),
      }
    }),
  )
}

/** For messages; undefined for a value from elsewhere. */
function placeOf(manifest: Manifest | undefined, key: string): string | undefined {
  const at = manifest?.places?.[key]
  return at && `Line ${at.line}, column ${at.column} of the manifest`
}

/**
 * Stagers name files from the root, a manifest those of its application, which is in START_PATH. Each may do as the other
 * where nothing is there.
 */
function pathsOf(template: Template, start: string, ofManifest: boolean): string[] {
  const paths = [posix.join('/', template.path), posix.join(start, template.path)]
  return [...new Set(ofManifest ? paths.reverse() : paths)]
}

function filledFile(path: string, content: Buffer, template: Template, data: TemplateData): Buffer {
  if (!isUtf8(content))
    throw new BadInput('bad-template', `The template ${path} is not text in UTF-8: take it from the templates.`)
  const delimiters = { left: template.left_delimiter, right: template.right_delimiter }
  return Buffer.from(
    filledIn(`The template ${path}`, undefined, () => fillIn(content.toString('utf8'), data, delimiters)),
  )
}

/** Adds what has the mistake to its message, and its place if the caller does not. */
function filledIn(what: string, place: string | undefined, fill: () => string): string {
  try {
    return fill()
  } catch (error) {
    if (!(error instanceof DocumentSyntaxError)) throw error
    const { line, column, expected, found } = error
    throw placed(
      place,
      new BadInput(
        'bad-template',
        `${what} cannot be filled in: line ${line}, column ${column}: expected ${expected}, found ${found}.`,
        { cause: error },
      ),
    )
  }
}
