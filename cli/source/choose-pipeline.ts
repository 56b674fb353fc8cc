import { NotFound } from '../../base/errors.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import { findShared, lookUp, SHARED_NAMESPACE } from '../session/look-up.js'
import type { Session } from '../session/session.js'
import { detectLanguage } from './detect-language.js'

/**
 * Finds the pipeline that the user gives. Without one, detects the language from the files and looks for its pipeline.
 *
 * Throws what `lookUp` throws for an unknown name, `NotFound` (`no-pipeline`) when detection finds none.
 *
 * @param source undefined for an archive, which is not inspected
 */
export async function choosePipeline(
  session: Session,
  named: string | undefined,
  source: string | undefined,
): Promise<Pipeline> {
  if (named !== undefined) return await lookUp<Pipeline>(session, named, 'stagpipe')
  const detected = source === undefined ? undefined : await detectLanguage(source)
  const found = detected && (await findShared<Pipeline>(session, detected.pipeline, 'stagpipe'))
  if (found) return found
  const reason = detected
    ? `${detected.file} requires the pipeline ${detected.pipeline}, which is neither in ${session.namespace} nor in ${SHARED_NAMESPACE}`
    : source === undefined
      ? 'No pipeline can be detected for an archive'
      : 'No pipeline can be detected from the files of the source'
  throw new NotFound('no-pipeline', `${reason}: give one with --pipeline. ${await listPipelines(session)}`)
}

async function listPipelines({ api, signal }: Session): Promise<string> {
  const pipelines = await api.get<Pipeline[]>('/v1/stagingpipelines', { signal })
  if (pipelines.length === 0) return 'There are none yet: create one with `stagectl pipeline create`.'
  return `Available pipelines:\n${pipelines.map(({ fqn }) => `  ${fqn}`).join('\n')}`
}
