import { parse as parseToml } from 'smol-toml'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { parseDuration } from '../../base/duration.js'
import { Fault, messageOf } from '../../base/errors.js'
import { parseSize } from '../../base/size.js'
import type { Limits } from '../../isolation/launch-plan.js'
import type { Capability } from '../packages/metadata.js'
import { parseCapability } from './parse-capability.js'

/** stagers/catalogue.toml describes the fields. */
const Entry = Type.Object(
  {
    'start-command': Type.String({ minLength: 1, default: './stage' }),
    additive: Type.Boolean({ default: false }),
    'allow-egress': Type.Boolean({ default: false }),
    reproducible: Type.Boolean({ default: false }),
    user: Type.String({ default: 'runner' }),
    'depends-on': Type.Array(Type.String(), { default: [] }),
    expects: Type.Array(Type.String(), { default: [] }),
    runtimes: Type.Array(Type.String(), { default: [] }),
    memory: Type.Optional(Type.String()),
    disk: Type.Optional(Type.String()),
    timeout: Type.Optional(Type.String()),
    internal: Type.Boolean({ default: false }),
  },
  { additionalProperties: false },
)
const Catalogue = Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9-]*$' }), Type.Partial(Entry), {
  additionalProperties: false,
})
const catalogue = Compile(Catalogue)

/** A stager that ships with stagerd, and what it needs. */
export interface CatalogueEntry {
  readonly name: string
  readonly startCommand: string
  readonly additive: boolean
  readonly egress: boolean
  readonly reproducible: boolean
  readonly user: string
  readonly dependencies: readonly Capability[]
  /** See `StagerSnapshot.expects`. */
  readonly expects: readonly Capability[]
  /** What packages need while they are staged, or when they run. */
  readonly runtimes: readonly Capability[]
  /** Limits that it needs; the others are those of the node. */
  readonly limits: Partial<Limits>
  /** Whether it is made only where something else needs it. */
  readonly internal: boolean
}

/** Throws `Fault` (`bad-catalogue`). */
export function parseCatalogue(text: string): readonly CatalogueEntry[] {
  try {
    const document: unknown = parseToml(text)
    if (!catalogue.Check(document)) throw new Error(catalogue.Errors(document)[0]?.message ?? 'it has another form')
    return Object.entries(document).map(([name, entry]) => entryOf(name, entry))
  } catch (error) {
    throw new Fault('bad-catalogue', `The catalogue of stagers is not valid: ${messageOf(error)}.`, { cause: error })
  }
}

function entryOf(name: string, entry: Partial<Static<typeof Entry>>): CatalogueEntry {
  const memoryBytes = limit(entry.memory, parseSize)
  const diskBytes = limit(entry.disk, parseSize)
  const timeoutMs = limit(entry.timeout, parseDuration)
  return {
    name,
    startCommand: entry['start-command'] ?? './stage',
    additive: entry.additive ?? false,
    egress: entry['allow-egress'] ?? false,
    reproducible: entry.reproducible ?? false,
    user: entry.user ?? 'runner',
    dependencies: (entry['depends-on'] ?? []).map(parseCapability),
    expects: (entry.expects ?? []).map(parseCapability),
    runtimes: (entry.runtimes ?? []).map(parseCapability),
    limits: {
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(diskBytes === undefined ? {} : { diskBytes }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
    internal: entry.internal ?? false,
  }
}

function limit(text: string | undefined, parse: (text: string) => number | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = parse(text)
  if (value === undefined) throw new Error(`${text} is not a limit`)
  return value
}
