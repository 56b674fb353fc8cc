import { Type, type Static } from 'typebox'
import { LABEL_PATTERN, MOST_LABELS } from '../../base/labels.js'
import { Capabilities, capabilities, VariableNames } from './capability.js'
import { Limits, SomeLimits } from './limits.js'
import { AnyName, closed, environment } from './schema.js'
import { SecretNames } from './secret.js'

const REPRODUCIBLE =
  'that its results depend on nothing but what it is given: only then are they reused if it has egress'

const CLEAN_ENVIRONMENT =
  'that it gets no variable of the package that it stages, or of that package’s dependencies, in its environment: a scanner reads them as metadata'

const SECRETS = 'names of the secrets of a staging that it is given; a staging need not have them'

const EXPECTS =
  'what packages are expected to get from it: a package without dependencies is staged as if it had these, if they have a solution'

const labels = (description: string) =>
  Type.Array(Type.String({ pattern: LABEL_PATTERN }), { maxItems: MOST_LABELS, uniqueItems: true, description })

const LABELS = 'it runs on nodes that have all of these'

export const Stager = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    package: Type.String({ description: 'FQN of the package with its program' }),
    start_command: Type.String(),
    additive: Type.Boolean(),
    allow_egress: Type.Boolean(),
    reproducible: Type.Boolean({ description: REPRODUCIBLE }),
    clean_environment: Type.Boolean({ description: CLEAN_ENVIRONMENT }),
    secrets: SecretNames(SECRETS),
    user: Type.String(),
    limits: Limits,
    dependencies: Capabilities,
    expects: capabilities(EXPECTS),
    labels: Type.Optional(labels(`${LABELS}; not there for none`)),
    environment: environment('given to the stager'),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Stager' },
)
export type Stager = Static<typeof Stager>

/** POST /v1/stagers */
export const StagerDraft = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    package: Type.String({ description: 'ref of the package with its program' }),
    start_command: Type.String({ minLength: 1 }),
    additive: Type.Optional(Type.Boolean()),
    allow_egress: Type.Optional(Type.Boolean()),
    reproducible: Type.Optional(Type.Boolean({ description: REPRODUCIBLE })),
    clean_environment: Type.Optional(Type.Boolean({ description: CLEAN_ENVIRONMENT })),
    secrets: Type.Optional(SecretNames(SECRETS)),
    user: Type.Optional(Type.String()),
    limits: Type.Optional(SomeLimits),
    dependencies: Type.Optional(Capabilities),
    expects: Type.Optional(capabilities(EXPECTS)),
    labels: Type.Optional(labels(LABELS)),
    environment: Type.Optional(environment('given to the stager')),
  },
  { ...closed, title: 'StagerDraft' },
)
export type StagerDraft = Static<typeof StagerDraft>

/** PATCH /v1/stagers/{ref} */
export const StagerChange = Type.Object(
  {
    name: Type.Optional(Type.String()),
    package: Type.Optional(Type.String()),
    start_command: Type.Optional(Type.String({ minLength: 1 })),
    additive: Type.Optional(Type.Boolean()),
    allow_egress: Type.Optional(Type.Boolean()),
    reproducible: Type.Optional(Type.Boolean()),
    clean_environment: Type.Optional(Type.Boolean()),
    secrets_add: Type.Optional(SecretNames('names')),
    secrets_remove: Type.Optional(SecretNames('names')),
    user: Type.Optional(Type.String()),
    limits: Type.Optional(SomeLimits),
    dependencies_add: Type.Optional(Capabilities),
    dependencies_remove: Type.Optional(Capabilities),
    expects_add: Type.Optional(Capabilities),
    expects_remove: Type.Optional(Capabilities),
    labels: Type.Optional(labels(`${LABELS}: all of them`)),
    environment_set: Type.Optional(environment('added or replaced')),
    environment_unset: Type.Optional(VariableNames),
    environment_expected: Type.Optional(
      Type.Record(AnyName, Type.Union([Type.String(), Type.Null()]), {
        description:
          'values that these variables have, or null for those that are not set; otherwise nothing is changed, and the answer is 409 with environment-changed',
      }),
    ),
  },
  { ...closed, title: 'StagerChange' },
)
export type StagerChange = Static<typeof StagerChange>
