import { assertNamespace, formatFqn, SHARED_NAMESPACE } from '../../../base/fqn.js'
import { maySee } from '../../access/caller.js'
import { detect, type Candidate } from '../../packages/detection/detect.js'
import type { Pipeline, PipelineRepository } from '../../store/repositories.js'
import { Detection, DetectionQuestion, EXCERPT_CHARACTERS, type DetectionCandidate } from '../../documents/detection.js'
import { HOLDERS } from '../access.js'
import type { Api } from '../fastify.js'
import { NoQuery, REFUSALS } from './schemas.js'

export interface DetectionRoutesParts {
  readonly pipelines: Pick<PipelineRepository, 'list'>
}

/** For the names of a very large directory, and for all excerpts that one answer can want. */
const MAX_QUESTION_BYTES = 64 * 1024 * 1024

export function detectionRoutes(api: Api, { pipelines }: DetectionRoutesParts): void {
  api.post(
    '/v1/detections',
    {
      bodyLimit: MAX_QUESTION_BYTES,
      access: HOLDERS,
      schema: {
        operationId: 'detectPipeline',
        tags: ['pipelines'],
        description:
          'Which pipeline fits a source, by what lies at its top. The answer explains all pipelines. Nothing is changed or stored.',
        querystring: NoQuery,
        body: DetectionQuestion,
        response: { 200: Detection, ...REFUSALS },
      },
    },
    async ({ body: { namespace = '/', names, excerpts = [] }, caller }): Promise<Detection> => {
      assertNamespace(namespace)
      const found = (await visibleFrom(pipelines, namespace)).filter((one) => maySee(caller, one.namespace))
      const { candidates, wanted } = detect({ names, excerpts, pipelines: found })
      const taken = candidates.find(({ verdict }) => verdict === 'taken')?.pipeline
      return {
        namespace,
        ...(taken ? { pipeline: formatFqn('stagpipe', taken) } : {}),
        candidates: candidates.map(rendered),
        wanted: wanted.map((one) => ({ ...one, characters: EXCERPT_CHARACTERS })),
      }
    },
  )
}

/** Those that a local name can mean, in the order in which they are looked for. */
async function visibleFrom(pipelines: DetectionRoutesParts['pipelines'], namespace: string): Promise<Pipeline[]> {
  const found: Pipeline[] = []
  for (const searched of new Set([namespace, SHARED_NAMESPACE]))
    found.push(...(await pipelines.list({ namespace: searched })).filter((one) => one.namespace === searched))
  return found
}

function rendered({ name, pipeline, verdict, fits, reason, found, signs }: Candidate): DetectionCandidate {
  return {
    name,
    ...(pipeline ? { pipeline: formatFqn('stagpipe', pipeline) } : {}),
    verdict,
    fits,
    reason,
    found: [...found],
    signs: [...signs],
  }
}
