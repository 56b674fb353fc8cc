import type { Detection } from '../../daemon/documents/detection.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { SHORTEN_END, SHORTEN_NAME } from './shorten.js'
import { table } from './table.js'

/** What was seen and chosen, and what else would do; for a detection that has found a pipeline. */
export function summarizeDetection(detection: Detection): string[] {
  const taken = detection.candidates.find(({ verdict }) => verdict === 'taken')
  if (!taken) return []
  const chosen = `The pipeline is ${taken.pipeline ?? taken.name}, because ${printable(taken.reason)}.`
  return [chosen, ...othersThatFit(detection).map((other) => `Another one would be possible: ${other}.`)]
}

/** Sentences without their full stop. */
export function othersThatFit({ candidates }: Detection): string[] {
  return candidates
    .filter(({ fits, verdict }) => fits && verdict === 'passed over')
    .map(
      ({ name, pipeline, found }) =>
        `${namesOf(found, 'fits', 'fit')} ${name}${pipeline === undefined ? ', which does not exist' : ` (--pipeline ${pipeline})`}`,
    )
}

/** The names of files, with a verb. They are the user's, and can have any character. */
export function namesOf(found: readonly string[], ofOne: string, ofSeveral: string): string {
  return `${printable(found.join(', '))} ${found.length === 1 ? ofOne : ofSeveral}`
}

/** Every pipeline, in the order in which they are looked at. */
export function describeDetection(output: Output, detection: Detection): string {
  const rows = detection.candidates.map(({ name, pipeline, verdict, reason, signs }) => [
    pipeline ?? `${name} (does not exist)`,
    verdict,
    reason,
    signs.join(' '),
  ])
  const explained = table(
    output,
    [
      { head: 'PIPELINE', shorten: SHORTEN_NAME },
      { head: 'VERDICT' },
      { head: 'BECAUSE', shorten: SHORTEN_END },
      { head: 'SIGNS', shorten: SHORTEN_END },
    ],
    rows,
    '',
  )
  return [explained, '', ...conclusionOf(detection)].join('\n')
}

function conclusionOf(detection: Detection): string[] {
  const taken = detection.candidates.find(({ verdict }) => verdict === 'taken')
  if (!taken) return ['No pipeline fits: `stagectl stage` needs --pipeline.']
  if (taken.pipeline === undefined)
    return [
      `${taken.name} fits, but does not exist: make it with \`stagectl bootstrap ${taken.name}\`, or give another one with --pipeline.`,
    ]
  return summarizeDetection(detection)
}
