import { formatFqn } from '../../base/fqn.js'
import { NotFound } from '../../base/errors.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import { pipelinePath } from '../api/paths.js'
import type { Session } from '../session/session.js'
import { detectLanguage } from './detect-language.js'

/** The namespace of pipelines that all namespaces can use. */
const SHARED_NAMESPACE = '/apcera'

/**
 * Finds the pipeline that the user gives. Without one, detects the language from the files and looks for its pipeline
 * in the current namespace, then in the shared one.
 *
 * Throws `ApiProblem` for an unknown name, `NotFound` (`no-pipeline`) when detection finds none.
 *
 * @param source undefined for an archive, which is not inspected
 */
export async function choosePipeline(
  session: Session,
  named: string | undefined,
  source: string | undefined,
): Promise<Pipeline> {
  const { api, signal } = session
  if (named !== undefined) return await api.get<Pipeline>(pipelinePath(session.ref(named, 'stagpipe')), { signal })
  const detected = source === undefined ? undefined : await detectLanguage(source)
  if (detected)
    for (const namespace of new Set([session.namespace, SHARED_NAMESPACE])) {
      const fqn = formatFqn('stagpipe', { namespace, name: detected.pipeline })
      const found = await api.find<Pipeline>(pipelinePath(fqn), { signal })
      if (found) return found
    }
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
