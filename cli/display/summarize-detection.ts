import type { Detection } from '../../daemon/documents/detection.js'
import { printable } from './printable.js'

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
