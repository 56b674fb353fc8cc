import type { Staging } from '../../daemon/documents/staging.js'
import { field } from './describe-package.js'
import { elapsed } from './time.js'

export function describeStaging(document: Staging): string {
  const { failure, node, taken_over: takenOver, waiting } = document
  return [
    `Staging: ${document.uuid}`,
    `State: ${document.state}`,
    ...(waiting ? whyWaiting(waiting) : []),
    ...(node ? [`Node: ${node.name} (${node.uuid})`] : []),
    `Package: ${document.package}`,
    `Pipeline: ${document.pipeline}`,
    ...field('Stagers', document.stagers),
    ...field(
      'Launches',
      document.launches.map((launch) => {
        const exit = launch.exit_code === undefined ? '' : `, exit code ${launch.exit_code}`
        return `${launch.stager} ${launch.state}${exit}${lasted(launch.started_at, launch.ended_at)}`
      }),
    ),
    ...field('Secrets', document.secrets ?? []),
    ...(document.reused === undefined ? [] : [`Reused: the result of staging ${document.reused}`]),
    ...(takenOver === undefined
      ? []
      : [`Reused: what its first ${takenOver.stagers} stager(s) left in staging ${takenOver.staging}`]),
    ...(failure
      ? [
          `Cause: ${failure.cause}${failure.stager === undefined ? '' : `, of ${failure.stager}`}`,
          `Message: ${failure.message}`,
          `Hint: ${failure.hint}`,
        ]
      : []),
    ...(document.kept ? [`Kept: until ${document.kept.until}, for \`stagectl staging shell ${document.uuid}\``] : []),
    `Submitted: ${document.submitted_at}`,
    ...(document.ended_at === undefined ? [] : [`Ended: ${document.ended_at}`]),
  ].join('\n')
}

function whyWaiting({ before, reasons }: NonNullable<Staging['waiting']>): readonly string[] {
  return [
    ...reasons.map(({ message }) => `Waits: ${message}`),
    ...(reasons.length === 0 ? ['Waits: A node takes it at its next look.'] : []),
    `Before it: ${before}`,
  ]
}

function lasted(from: string, to: string | undefined): string {
  return to === undefined ? '' : `, ${elapsed(Date.parse(to) - Date.parse(from))}`
}
