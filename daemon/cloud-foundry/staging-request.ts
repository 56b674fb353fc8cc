import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Limits } from '../../isolation/launch-plan.js'
import { describeViolation, type Violation } from '../documents/describe-violation.js'
import { assertMetadata } from '../packages/validate.js'
import type { RuleTable } from './detection-rules.js'
import { RuleDemand } from './plug-in-table.js'

/** A list of tables with one rule each, as the older service had them, or one table. */
const Rules = Type.Record(Type.String(), RuleDemand, { title: 'a table of rules' })
const Framework = Type.Object({
  name: Type.String({ minLength: 1 }),
  detection: Type.Optional(Type.Union([Rules, Type.Array(Rules, { title: 'a list of them' })])),
  runtimes: Type.Optional(
    Type.Array(
      Type.Union([Type.String(), Type.Record(Type.String(), Type.Object({ default: Type.Optional(Type.Boolean()) }))]),
    ),
  ),
})
const Megabytes = Type.Optional(Type.Number({ minimum: 1, maximum: 1024 ** 2 }))

/** What a request must have. Controllers send more, which is passed over. */
const Request = Type.Object({
  app_id: Type.Union([Type.String({ minLength: 1, maxLength: 1024 }), Type.Integer()]),
  properties: Type.Object({
    framework_info: Type.Optional(Framework),
    runtime_info: Type.Optional(
      Type.Object({
        name: Type.String({ minLength: 1 }),
        version: Type.Optional(Type.Union([Type.String(), Type.Number()])),
      }),
    ),
    buildpack: Type.Optional(Type.String()),
    resources: Type.Optional(Type.Object({ memory: Megabytes, disk: Megabytes })),
    environment: Type.Optional(
      Type.Union([
        Type.Array(Type.String(), { title: 'a list of NAME=VALUE' }),
        Type.Record(Type.String(), Type.String(), { title: 'an object' }),
      ]),
    ),
    meta: Type.Optional(Type.Object({ command: Type.Optional(Type.String()) })),
  }),
  download_uri: Type.String({ minLength: 1 }),
  upload_uri: Type.String({ minLength: 1 }),
})

const validator = Compile(Request)

/** What a controller says of a framework. */
export interface FrameworkWish {
  readonly name: string
  /** Its own rules, all of which must hold. Undefined: those that stagerd has. */
  readonly detection: readonly RuleTable[] | undefined
  /** Names; empty for any. */
  readonly runtimes: readonly string[]
}

export interface RuntimeWish {
  readonly name: string
  readonly version: string | undefined
}

export interface StagingRequest {
  readonly appId: string
  readonly framework: FrameworkWish | undefined
  readonly runtime: RuntimeWish | undefined
  /** The name or the URL of the one that is to be used. */
  readonly buildpack: string | undefined
  /** Of the launches of buildpacks; none for a framework, whose resources are those of the application. */
  readonly limits: Partial<Pick<Limits, 'memoryBytes' | 'diskBytes'>>
  readonly environment: Readonly<Record<string, string>>
  /** May contain credentials: neither goes to a log or a message. */
  readonly downloadUri: string
  readonly uploadUri: string
}

/** Undefined for what is no JSON. Throws `BadInput` (`bad-request`, and those of metadata) for what is no request. */
export function parseStagingRequest(data: Uint8Array): StagingRequest | undefined {
  let document: unknown
  try {
    document = withoutNull(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data)))
  } catch {
    return undefined
  }
  if (!validator.Check(document)) {
    const violations = [...validator.Errors(document)] as readonly Violation[]
    throw new BadInput('bad-request', describeViolation(violations, Request, 'request'))
  }
  const { app_id: appId, properties, download_uri: downloadUri, upload_uri: uploadUri } = document
  const { framework_info: info, runtime_info: runtime, buildpack, resources } = properties
  const command = properties.meta?.command ?? ''
  const environment = {
    ...environmentOf(properties.environment ?? []),
    ...(command === '' ? {} : { START_COMMAND: command }),
  }
  assertMetadata({ environment })
  const pack = buildpack === '' ? undefined : buildpack
  return {
    ...{ appId: String(appId), environment, downloadUri, uploadUri },
    framework: info ? frameworkOf(info) : undefined,
    runtime: runtimeOf(runtime, info),
    buildpack: pack,
    limits: pack === undefined && info ? {} : limitsOf(resources),
  }
}

const MEGABYTE = 1024 ** 2

/** With less, no stager could start. */
const LEAST_MEGABYTES = 64

function limitsOf(resources: Static<typeof Request>['properties']['resources']): StagingRequest['limits'] {
  const bytesOf = (megabytes: number) => Math.floor(Math.max(megabytes, LEAST_MEGABYTES) * MEGABYTE)
  return {
    ...(resources?.memory === undefined ? {} : { memoryBytes: bytesOf(resources.memory) }),
    ...(resources?.disk === undefined ? {} : { diskBytes: bytesOf(resources.disk) }),
  }
}

function frameworkOf({ name, detection, runtimes }: Static<typeof Framework>): FrameworkWish {
  return {
    name,
    detection: detection === undefined || Array.isArray(detection) ? detection : [detection],
    runtimes: (runtimes ?? []).flatMap((one) => (typeof one === 'string' ? [one] : Object.keys(one))),
  }
}

/** Without one, the default of the framework. */
function runtimeOf(
  given: Static<typeof Request>['properties']['runtime_info'],
  info: Static<typeof Request>['properties']['framework_info'],
): RuntimeWish | undefined {
  if (given) return { name: given.name, version: given.version === undefined ? undefined : String(given.version) }
  for (const one of info?.runtimes ?? [])
    if (typeof one !== 'string')
      for (const [name, options] of Object.entries(one))
        if (options.default === true) return { name, version: undefined }
  return undefined
}

/** No field that is read lies deeper. A message may have as many levels as it has bytes, and each is a call. */
const MOST_LEVELS = 8

/** Controllers send null for a field that they have not. */
function withoutNull(value: unknown, levels = MOST_LEVELS): unknown {
  if (typeof value !== 'object' || value === null || levels === 0) return value
  if (Array.isArray(value)) return value.map((one) => withoutNull(one, levels - 1))
  const fields = Object.entries(value).filter(([, field]) => field !== null)
  return Object.fromEntries(fields.map(([key, field]) => [key, withoutNull(field, levels - 1)]))
}

/** Older controllers send `NAME=VALUE`. */
function environmentOf(
  given: NonNullable<Static<typeof Request>['properties']['environment']>,
): Readonly<Record<string, string>> {
  if (!Array.isArray(given)) return given
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new BadInput('bad-request', `${quote(text.slice(0, 40))} is not a variable: send NAME=VALUE.`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

/** The local name of the package of an application: another one for each application. */
export function packageNameOf(appId: string): string {
  const readable = appId.replace(/[^A-Za-z0-9._+@-]/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  if (readable === appId && readable.length <= 128) return readable
  return `${readable.slice(0, 100)}${readable === '' ? 'app' : ''}-${createHash('sha256').update(appId).digest('hex').slice(0, 12)}`
}
