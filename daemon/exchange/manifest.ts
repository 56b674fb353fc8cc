import { LABEL_PATTERN, MOST_LABELS } from '../../base/labels.js'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { BadInput, messageOf } from '../../base/errors.js'
import { describeViolation, type Violation } from '../documents/describe-violation.js'
import { Capabilities, capabilities, Templates } from '../documents/capability.js'
import { Limits } from '../documents/limits.js'
import { Manifest as PackageManifest } from '../documents/manifest.js'
import { environment } from '../documents/schema.js'
import { SecretNames } from '../documents/secret.js'

/** The format of exchange files. docs/exchange.md describes it for other programs. */

export const MANIFEST_FILE = 'STAGERD_MANIFEST.json'
const FORMAT = 'stagerd-exchange'
/** Raise it when readers of this version would misread a new file. */
const VERSION = 1

const closed = { additionalProperties: false } as const
const Environment = environment('by name')

const Removal = Type.Object(
  { kind: Type.Union([Type.Literal('removed'), Type.Literal('opaque')]), path: Type.String() },
  closed,
)

const PackageEntry = Type.Object(
  {
    fqn: Type.String(),
    state: Type.Union([Type.Literal('uploaded'), Type.Literal('ready')]),
    dependencies: Capabilities,
    provides: Capabilities,
    environment: Environment,
    templates: Templates,
    version: Type.Optional(Type.String({ maxLength: 255 })),
    description: Type.Optional(Type.String({ maxLength: 4096 })),
    recipe: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'digest of what it was made from' })),
    manifest: Type.Optional(PackageManifest),
    resource: Type.Object(
      {
        file: Type.String({ description: 'name in the ZIP file' }),
        digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
        sha1: Type.Optional(Type.String({ pattern: '^sha1:[0-9a-f]{40}$' })),
        length: Type.Integer({ minimum: 0 }),
        removals: Type.Array(Removal),
      },
      closed,
    ),
  },
  closed,
)
export type PackageEntry = Static<typeof PackageEntry>

const StagerEntry = Type.Object(
  {
    fqn: Type.String(),
    package: Type.String({ description: 'FQN of the package with its program' }),
    start_command: Type.String({ minLength: 1 }),
    additive: Type.Boolean(),
    allow_egress: Type.Boolean(),
    reproducible: Type.Optional(Type.Boolean({ description: 'not there where it is not' })),
    clean_environment: Type.Optional(Type.Boolean({ description: 'not there where it has none' })),
    secrets: Type.Optional(SecretNames('names; not there for none')),
    user: Type.String(),
    limits: Limits,
    dependencies: Capabilities,
    expects: Type.Optional(capabilities('not there for none')),
    labels: Type.Optional(
      Type.Array(Type.String({ pattern: LABEL_PATTERN }), {
        maxItems: MOST_LABELS,
        uniqueItems: true,
        description: 'of nodes that it runs on; not there for none',
      }),
    ),
    environment: Environment,
  },
  closed,
)
export type StagerEntry = Static<typeof StagerEntry>

const PipelineEntry = Type.Object(
  {
    fqn: Type.String(),
    stagers: Type.Array(Type.String(), { minItems: 1, maxItems: 1000 }),
    signs: Type.Optional(Type.Array(Type.String(), { description: 'not there where it has none' })),
  },
  closed,
)

const Manifest = Type.Object(
  {
    format: Type.Literal(FORMAT),
    version: Type.Literal(VERSION),
    packages: Type.Array(PackageEntry),
    stagers: Type.Array(StagerEntry),
    pipelines: Type.Array(PipelineEntry),
  },
  closed,
)
export type Manifest = Static<typeof Manifest>

export function printManifest(content: Omit<Manifest, 'format' | 'version'>): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...content }, undefined, 2)}\n`
}

/** Throws `BadInput` (`bad-manifest`, `manifest-too-new`). */
export function parseManifest(text: string): Manifest {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw new BadInput('bad-manifest', `${MANIFEST_FILE} of the file is not JSON: ${messageOf(error)}.`)
  }
  const version: unknown = found instanceof Object ? Reflect.get(found, 'version') : undefined
  if (typeof version === 'number' && version > VERSION)
    throw new BadInput(
      'manifest-too-new',
      `The file has version ${version} of the exchange format, and this stagerd reads ${VERSION}: update stagerd.`,
    )
  const validator = Compile(Manifest)
  if (validator.Check(found)) return found
  const violations = validator.Errors(found) as readonly Violation[]
  throw new BadInput('bad-manifest', describeViolation(violations, Manifest, MANIFEST_FILE))
}
