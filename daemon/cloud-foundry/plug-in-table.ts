import { parse as parseToml, TomlError } from 'smol-toml'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { BadInput, StagerdError } from '../../base/errors.js'
import { parseFqn, quote } from '../../base/fqn.js'
import { lineOfKey } from '../../base/line-of-key.js'
import { describeViolation, type Violation } from '../documents/describe-violation.js'
import { CAPABILITY_TYPES, type Capability } from '../packages/metadata.js'
import { detectionRules, type DetectionRule } from './detection-rules.js'

/** Titles are for messages. */
export const RuleDemand = Type.Union([
  Type.String({ title: 'an expression' }),
  Type.Boolean({ title: 'true or false' }),
])

const closed = { additionalProperties: false } as const

/** stagers/cloud-foundry.toml describes the fields. */
const Framework = Type.Object(
  {
    pipeline: Type.Optional(Type.String({ minLength: 1 })),
    start: Type.Optional(Type.String({ minLength: 1 })),
    detect: Type.Optional(Type.Array(Type.Record(Type.String(), RuleDemand), { minItems: 1 })),
  },
  closed,
)
const Runtime = Type.Object(
  {
    capability: Type.String(),
    pipeline: Type.Optional(Type.String({ minLength: 1 })),
  },
  closed,
)
const File = Type.Object(
  {
    frameworks: Type.Optional(Type.Record(Type.String(), Framework)),
    runtimes: Type.Optional(Type.Record(Type.String(), Runtime)),
  },
  closed,
)
const validator = Compile(File)

export interface FrameworkPlugIn {
  /** Local or full name. Undefined: that of the runtime. */
  readonly pipeline: string | undefined
  /** One of them must fit as a whole; none at all fits everything. */
  readonly alternatives: readonly (readonly DetectionRule[])[]
  /** `@file@` in it is what the first rule of the first alternative has found. */
  readonly start: string | undefined
}

export interface RuntimeAlias {
  readonly capability: Capability
  /** Of applications that name no other. */
  readonly pipeline: string | undefined
}

/** By name. */
export interface PlugInTable {
  readonly frameworks: ReadonlyMap<string, FrameworkPlugIn>
  readonly runtimes: ReadonlyMap<string, RuntimeAlias>
}

export interface PlugInFile {
  /** For messages. */
  readonly name: string
  readonly text: string
}

/**
 * The frameworks and runtimes of these files; a later one replaces what an earlier one has by the same name.
 *
 * Throws `BadInput` (`bad-frameworks`), which names the file, the line and the key.
 */
export function plugInTable(files: readonly PlugInFile[]): PlugInTable {
  const frameworks = new Map<string, FrameworkPlugIn>()
  const runtimes = new Map<string, RuntimeAlias>()
  for (const file of files) {
    const document = documentOf(file)
    for (const [name, found] of Object.entries(document.frameworks ?? {}))
      frameworks.set(
        name,
        placed(file, ['frameworks', name], () => frameworkOf(found)),
      )
    for (const [name, found] of Object.entries(document.runtimes ?? {}))
      runtimes.set(
        name,
        placed(file, ['runtimes', name], () => aliasOf(found)),
      )
  }
  return { frameworks, runtimes }
}

function documentOf({ name, text }: PlugInFile): Static<typeof File> {
  let document: unknown
  try {
    document = parseToml(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [what = ''] = error.message.split('\n')
    const why = what.replace('Invalid TOML document: ', '')
    throw bad(`Line ${error.line} of ${name}, at column ${error.column}, is not valid TOML: ${why}.`)
  }
  if (validator.Check(document)) return document
  const violations = [...validator.Errors(document)] as readonly Violation[]
  // That of a union says less than those below it.
  const first =
    violations.find(({ keyword, schemaPath }) => keyword !== 'boolean' && !/\/anyOf\/\d/.test(schemaPath)) ??
    violations[0]
  if (!first) throw bad(`${name} has another form than a file of frameworks.`)
  const key = first.instancePath.split('/').slice(1)
  // An unknown key is in the table that is told.
  const unknown: unknown = Reflect.get(first.params, 'additionalProperties')
  const path = [...key.map(unescaped), ...(Array.isArray(unknown) ? unknown.slice(0, 1).map(String) : [])]
  throw bad(describeViolation([first], File, `line ${lineOfKey(text, ...path)} of ${name}`))
}

/** Of a JSON pointer. */
function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

function frameworkOf({ pipeline, start, detect = [] }: Static<typeof Framework>): FrameworkPlugIn {
  if (pipeline !== undefined) parseFqn(pipeline, 'stagpipe', '/')
  return { pipeline, start, alternatives: detect.map((table) => detectionRules([table])) }
}

function aliasOf({ capability, pipeline }: Static<typeof Runtime>): RuntimeAlias {
  if (pipeline !== undefined) parseFqn(pipeline, 'stagpipe', '/')
  const dot = capability.indexOf('.')
  if (!CAPABILITY_TYPES.some((type) => type === capability.slice(0, dot)) || dot === capability.length - 1)
    throw bad(`${quote(capability)} is not a capability: write TYPE.NAME, such as runtime.ruby.`)
  return {
    capability: { type: capability.slice(0, dot) as Capability['type'], name: capability.slice(dot + 1) },
    pipeline,
  }
}

function placed<T>({ name, text }: PlugInFile, key: readonly string[], work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof StagerdError)) throw error
    throw bad(`${key.join('.')} in line ${lineOfKey(text, ...key)} of ${name}: ${error.message}`)
  }
}

function bad(message: string): BadInput {
  return new BadInput('bad-frameworks', message)
}
