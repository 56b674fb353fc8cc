import { LABEL_PATTERN } from '../../base/labels.js'
import { UsageError } from './usage-error.js'

/** Collects the labels of each use of an option, each of which can have several. Throws `UsageError`. */
export function collectLabels(text: string, before: readonly string[] | boolean = []): string[] {
  const labels = text.split(',').map((label) => label.trim())
  const wrong = labels.find((label) => !new RegExp(LABEL_PATTERN).test(label))
  if (wrong !== undefined)
    throw new UsageError(
      `'${wrong}' is not a label: write 1 to 63 letters, digits and . _ / = - with commas between labels, such as gpu,zone=a.`,
    )
  return [...new Set([...(typeof before === 'boolean' ? [] : before), ...labels])]
}
