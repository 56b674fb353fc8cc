import type { Detection } from '../../daemon/documents/detection.js'
import type { Output } from './output.js'
import { SHORTEN_END, SHORTEN_NAME } from './shorten.js'
import { summarizeDetection } from './summarize-detection.js'
import { table } from './table.js'

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
