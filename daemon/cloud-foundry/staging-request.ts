import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { describeViolation, type Violation } from '../documents/describe-violation.js'
import { assertMetadata } from '../packages/validate.js'

/** What a request must have. Controllers send more, which is passed over. */
const Request = Type.Object({
  app_id: Type.Union([Type.String({ minLength: 1, maxLength: 1024 }), Type.Integer()]),
  properties: Type.Object({
    framework_info: Type.Object({ name: Type.String({ minLength: 1 }) }),
    environment: Type.Optional(
      Type.Union([Type.Null(), Type.Array(Type.String()), Type.Record(Type.String(), Type.String())]),
    ),
    meta: Type.Optional(
      Type.Union([Type.Null(), Type.Object({ command: Type.Optional(Type.Union([Type.Null(), Type.String()])) })]),
    ),
  }),
  download_uri: Type.String({ minLength: 1 }),
  upload_uri: Type.String({ minLength: 1 }),
})

const validator = Compile(Request)

export interface StagingRequest {
  readonly appId: string
  readonly framework: string
  readonly environment: Readonly<Record<string, string>>
  /** May contain credentials: neither goes to a log or a message. */
  readonly downloadUri: string
  readonly uploadUri: string
}

/** Undefined for what is no JSON. Throws `BadInput` (`bad-request`, and those of metadata) for what is no request. */
export function parseStagingRequest(data: Uint8Array): StagingRequest | undefined {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data))
  } catch {
    return undefined
  }
  if (!validator.Check(document)) {
    const violations = [...validator.Errors(document)] as readonly Violation[]
    throw new BadInput('bad-request', describeViolation(violations, Request, 'request'))
  }
  const { app_id: appId, properties, download_uri: downloadUri, upload_uri: uploadUri } = document
  const command = properties.meta?.command ?? ''
  const environment = {
    ...environmentOf(properties.environment ?? []),
    ...(command === '' ? {} : { START_COMMAND: command }),
  }
  assertMetadata({ environment })
  return { appId: String(appId), framework: properties.framework_info.name, environment, downloadUri, uploadUri }
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
