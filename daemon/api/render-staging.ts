import { formatFqn } from '../../base/fqn.js'
import type { Launch, Staging } from '../model/staging.js'
import type { Waiting } from '../model/waiting.js'
import type { Staging as StagingDocument } from '../documents/staging.js'
import { renderKept } from '../node/render-kept.js'
import { describeWaiting } from '../staging/describe-waiting.js'
import type { KeptLaunch } from '../staging/kept-launches.js'
import type { NodeName } from '../store/node-repository.js'

/** What is known of a staging beside what is recorded with it. */
export interface StagingPlace {
  /** The container of its failed launch. */
  readonly kept?: KeptLaunch | undefined
  /** The one that runs it. */
  readonly node?: NodeName | undefined
  /** Why it does not run yet. */
  readonly waiting?: Waiting | undefined
}

export function renderStaging(staging: Staging, { kept, node, waiting }: StagingPlace = {}): StagingDocument {
  const { failure } = staging
  return {
    uuid: staging.uuid,
    state: staging.state,
    package: staging.packageFqn,
    package_uuid: staging.packageUuid,
    pipeline: staging.pipelineFqn,
    stagers: staging.stagers.map((stager) => formatFqn('job', stager)),
    launches: staging.launches.map(renderLaunch),
    ...(failure
      ? {
          failure: {
            cause: failure.cause,
            ...(failure.stager === undefined ? {} : { stager: failure.stager }),
            message: failure.message,
            hint: failure.hint,
          },
        }
      : {}),
    ...(staging.reused === undefined ? {} : { reused: staging.reused }),
    ...(staging.takenOver ? { taken_over: { ...staging.takenOver } } : {}),
    ...(node ? { node: { ...node } } : {}),
    ...(waiting ? { waiting: renderWaiting(waiting) } : {}),
    ...(kept ? { kept: renderKept(kept) } : {}),
    ...(staging.secrets.length > 0 ? { secrets: [...staging.secrets] } : {}),
    submitted_at: staging.submittedAt,
    ...(staging.startedAt === undefined ? {} : { started_at: staging.startedAt }),
    ...(staging.endedAt === undefined ? {} : { ended_at: staging.endedAt }),
  }
}

function renderWaiting({ before, reasons }: Waiting): NonNullable<StagingDocument['waiting']> {
  return { before, reasons: reasons.map((reason) => ({ kind: reason.kind, message: describeWaiting(reason) })) }
}

function renderLaunch(launch: Launch): StagingDocument['launches'][number] {
  return {
    uuid: launch.uuid,
    stager: launch.stagerFqn,
    state: launch.state,
    ...(launch.exitCode === undefined ? {} : { exit_code: launch.exitCode }),
    started_at: launch.startedAt,
    ...(launch.endedAt === undefined ? {} : { ended_at: launch.endedAt }),
  }
}
