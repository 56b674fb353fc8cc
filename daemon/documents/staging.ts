import { Type, type Static } from 'typebox'
import { Capabilities } from './capability.js'
import { CAUSES, LAUNCH_STATES, STAGING_STATES, type Cause } from '../model/staging.js'
import { WAIT_KINDS, type WaitKind } from '../model/waiting.js'
import { KeptContainer, keepFailedSeconds } from './kept.js'
import { OwnManifest } from './manifest.js'
import { closed, environment, oneOf } from './schema.js'
import { SecretNames, SecretValues } from './secret.js'
import { Receivers } from './webhook.js'

const CAUSE_MEANINGS: Readonly<Record<Cause, string>> = {
  'stager-failed': 'the stager reported failure, or the package is unfit for it',
  'no-verdict': 'the stager exited without a verdict',
  'not-runnable': 'the program of the stager, or its root, cannot run',
  timeout: 'the stager ran longer than its limit',
  'out-of-memory': 'the stager needed more memory than its limit',
  'disk-full': 'the stager wrote more than its limit',
  'pids-limit': 'the stager needed more processes than its limit',
  'data-limit': 'the stager sent more data than a launch may have in the store',
  'relaunch-limit': 'the stager asked to be relaunched too often',
  unresolved: 'no packages satisfy the dependencies',
  policy: 'a policy refused the staging',
  'fetch-failed': 'the data to be staged could not be fetched',
  infrastructure: 'the host or stagerd failed',
}

export const Failure = Type.Object(
  {
    cause: oneOf(CAUSES, CAUSE_MEANINGS),
    stager: Type.Optional(Type.String()),
    message: Type.String(),
    hint: Type.String(),
  },
  { ...closed, title: 'Failure' },
)

export const Launch = Type.Object(
  {
    uuid: Type.String(),
    stager: Type.String(),
    state: oneOf(LAUNCH_STATES),
    exit_code: Type.Optional(Type.Integer()),
    started_at: Type.String(),
    ended_at: Type.Optional(Type.String()),
  },
  { ...closed, title: 'Launch' },
)

const WAIT_MEANINGS: Readonly<Record<WaitKind, string>> = {
  source: 'its source is not there yet',
  limit: 'as many run in a namespace as a policy allows',
  'no-node': 'no node works with the database',
  labels: 'no node has all labels that its stagers need',
  draining: 'those that have them are drained',
  full: 'those that have them have no free place',
  others: 'there is a place, and others come first',
}

export const StagingState = oneOf(STAGING_STATES)

export const Staging = Type.Object(
  {
    uuid: Type.String(),
    state: StagingState,
    package: Type.String(),
    package_uuid: Type.String(),
    pipeline: Type.String(),
    stagers: Type.Array(Type.String()),
    launches: Type.Array(Launch),
    failure: Type.Optional(Failure),
    reused: Type.Optional(
      Type.String({ description: 'UUID of the staging whose result has answered this one, without a launch' }),
    ),
    taken_over: Type.Optional(
      Type.Object(
        {
          staging: Type.String({ description: 'UUID of the earlier staging' }),
          stagers: Type.Integer({ description: 'how many: the first ones' }),
        },
        {
          ...closed,
          description:
            'of its stagers, the first ones have not run: it begins with what they have left in an earlier staging',
        },
      ),
    ),
    node: Type.Optional(
      Type.Object(
        { uuid: Type.String(), name: Type.String() },
        { ...closed, description: 'the node that runs it; there only while one does' },
      ),
    ),
    waiting: Type.Optional(
      Type.Object(
        {
          before: Type.Integer({ description: 'how many stagings come before it that wait for nothing but a place' }),
          reasons: Type.Array(
            Type.Object(
              {
                kind: oneOf(WAIT_KINDS, WAIT_MEANINGS),
                message: Type.String({ description: 'one sentence' }),
              },
              closed,
            ),
            { description: 'empty if a node takes it at its next look' },
          ),
        },
        {
          ...closed,
          description: 'why it does not run yet; there for a queued one that is asked for by its UUID',
        },
      ),
    ),
    kept: Type.Optional(KeptContainer),
    secrets: Type.Optional(SecretNames('names of the secrets that it was given; not there for none')),
    submitted_at: Type.String(),
    started_at: Type.Optional(Type.String()),
    ended_at: Type.Optional(Type.String()),
  },
  { ...closed, title: 'Staging' },
)
export type Staging = Static<typeof Staging>
export type { Cause }

/** POST /v1/stagings */
export const StagingDraft = Type.Object(
  {
    package: Type.String({ description: 'ref' }),
    pipeline: Type.String({ description: 'ref' }),
    reuse: Type.Optional(
      Type.Boolean({ description: 'whether an earlier result may answer it if nothing has changed; default: true' }),
    ),
    keep_failed_seconds: Type.Optional(keepFailedSeconds),
    secrets: Type.Optional(SecretValues),
    notify: Type.Optional(Receivers),
    source: Type.Optional(
      Type.Object(
        {
          resource: Type.String({ description: 'SHA-256 of an uploaded resource, in hexadecimal' }),
          dependencies: Type.Optional(Capabilities),
          environment: Type.Optional(environment('added to that of the package; these values win')),
          manifest: OwnManifest,
        },
        {
          ...closed,
          description:
            "staged instead of the package's own data, which the package keeps until the staging has succeeded",
        },
      ),
    ),
  },
  { ...closed, title: 'StagingDraft' },
)
export type StagingDraft = Static<typeof StagingDraft>

/** Data of a server-sent event `line` of GET /v1/stagings/{uuid}/log. The id of the event is `seq`. */
export const LogLine = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    time: Type.String(),
    stream: Type.Union([Type.Literal('staging'), Type.Literal('stdout'), Type.Literal('stderr')]),
    text: Type.String(),
  },
  { ...closed, title: 'LogLine' },
)
export type LogLine = Static<typeof LogLine>
