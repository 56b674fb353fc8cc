import { Type, type Static } from 'typebox'
import { LARGEST_SECRET_BYTES, MOST_SECRETS } from '../model/secret-limits.js'
import { AnyName, closed } from './schema.js'

/** In characters of base64. A larger one gets the sentence of `assertSecrets`, up to what a document may have. */
const Value = Type.String({
  pattern: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$',
  description: `base64 of the value, which has at most ${LARGEST_SECRET_BYTES} bytes`,
})

/** The rule for names is that of `assertSecretName`. */
export const SecretValues = Type.Record(AnyName, Value, {
  description: `by name: files in STAGER_SECRETS of the stagers that take them. At most ${MOST_SECRETS}. They are sealed until the staging ends, and deleted then`,
})

export const SecretNames = (description: string) => Type.Array(Type.String(), { maxItems: MOST_SECRETS, description })

/** PUT /v1/stagers/{ref}/secrets/{name} */
export const SecretDraft = Type.Object({ value: Value }, { ...closed, title: 'SecretDraft' })

/** A secret that a stager has itself. Nobody gets its value back but the launches of the stager. */
export const StagerSecret = Type.Object(
  { name: Type.String(), updated_at: Type.String() },
  { ...closed, title: 'StagerSecret' },
)
export type StagerSecret = Static<typeof StagerSecret>
