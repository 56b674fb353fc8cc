import { formatFqn } from '../../base/fqn.js'
import { NotFound } from '../../base/errors.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import { pipelinePath } from '../api/paths.js'
import type { Session } from '../session/session.js'
import { guessLanguage } from './guess-language.js'

/** Where pipelines for everybody are kept. */
const SHARED_NAMESPACE = '/apcera'

/**
 * The pipeline that the user named or, without a name, the one for what the files tell, from the current namespace or
 * the shared one. Asked before anything is packed.
 *
 * Throws `ApiProblem` for a name that nothing goes by, `NotFound` (`no-pipeline`) when the files lead nowhere.
 *
 * @param directory undefined for a tarball, into which nobody looks
 */
export async function choosePipeline(
  session: Session,
  named: string | undefined,
  directory: string | undefined,
): Promise<Pipeline> {
  const { api, signal } = session
  if (named !== undefined) return await api.get<Pipeline>(pipelinePath(session.ref(named, 'stagpipe')), { signal })
  const guess = directory === undefined ? undefined : await guessLanguage(directory)
  if (guess)
    for (const namespace of new Set([session.namespace, SHARED_NAMESPACE])) {
      const fqn = formatFqn('stagpipe', { namespace, name: guess.pipeline })
      const found = await api.find<Pipeline>(pipelinePath(fqn), { signal })
      if (found) return found
    }
  const why = guess
    ? `${guess.sign} asks for a pipeline ${guess.pipeline}, which is neither in ${session.namespace} nor in ${SHARED_NAMESPACE}`
    : directory === undefined
      ? 'A tarball does not tell which pipeline it wants'
      : 'No file of the source tells which pipeline it wants'
  throw new NotFound('no-pipeline', `${why}: name one with --pipeline. ${await listed(session)}`)
}

async function listed({ api, signal }: Session): Promise<string> {
  const pipelines = await api.get<Pipeline[]>('/v1/stagingpipelines', { signal })
  if (pipelines.length === 0) return 'There are none yet: make one with `stagectl pipeline create`.'
  return `There are:\n${pipelines.map(({ fqn }) => `  ${fqn}`).join('\n')}`
}
