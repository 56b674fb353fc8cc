import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/** The pipelines that serve the frameworks of the older service. All of them come with stagerd (`stagectl bootstrap`). */
const PIPELINES: Readonly<Record<string, string>> = { sinatra: 'ruby', rack: 'ruby', rails3: 'ruby', node: 'nodejs' }

/** The local name of a pipeline in the namespace `/`. Throws `BadInput` (`unknown-framework`). */
export function pipelineOf(framework: string): string {
  const pipeline = Object.hasOwn(PIPELINES, framework) ? PIPELINES[framework] : undefined
  if (pipeline === undefined)
    throw new BadInput(
      'unknown-framework',
      `The framework ${quote(framework)} is not one of ${Object.keys(PIPELINES).join(', ')}.`,
    )
  return pipeline
}
