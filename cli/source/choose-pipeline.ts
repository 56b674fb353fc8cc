import { NotFound } from '../../base/errors.js'
import { quote, SHARED_NAMESPACE } from '../../base/fqn.js'
import type { Detection } from '../../daemon/documents/detection.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import { pipelinePath } from '../api/paths.js'
import { namesOf, othersThatFit, summarizeDetection } from '../display/summarize-detection.js'
import { lookUp } from '../session/look-up.js'
import type { Session } from '../session/session.js'
import { detectPipeline } from './detect-pipeline.js'
import { judgeValue } from './manifest-place.js'
import type { ManifestFile } from './read-manifest.js'
import { readSourceTop, type SourceTop } from './source-top.js'

const GIVE_ONE = 'give one with --pipeline'

export interface PipelineWish {
  readonly option: string | undefined
  readonly manifest: ManifestFile | undefined
  /** Undefined for an archive, which is not inspected. */
  readonly source: string | undefined
}

/**
 * Finds the pipeline that the user gives, or else the manifest. Without one, has the daemon detect it. Says what it chose,
 * and why.
 *
 * Throws what `lookUp` throws for an unknown name, `NotFound` (`no-pipeline`) when detection finds none, and as
 * `readSourceTop`.
 */
export async function choosePipeline(session: Session, { option, manifest, source }: PipelineWish): Promise<Pipeline> {
  if (option !== undefined) return await lookUp<Pipeline>(session, option, 'stagpipe')
  const named = manifest && (await pipelineOfManifest(session, manifest))
  if (named) {
    await session.output.note(`The pipeline is ${named.fqn}, because the manifest names it.`)
    return named
  }
  if (source === undefined) throw await noPipeline(session, ['No pipeline can be detected for an archive', GIVE_ONE])
  const top = await readSourceTop(source)
  const detection = await detectPipeline(session, top)
  if (detection.pipeline === undefined) throw await noPipeline(session, whyNone(session, detection, top))
  for (const line of summarizeDetection(detection)) await session.output.note(line)
  return await session.api.get<Pipeline>(pipelinePath(detection.pipeline), { signal: session.signal })
}

/** The pipeline that a manifest names, if it names one. Throws what `lookUp` throws, with its place in the manifest. */
export async function pipelineOfManifest(session: Session, found: ManifestFile): Promise<Pipeline | undefined> {
  const { staging_pipeline: name } = found.manifest
  if (name === undefined) return undefined
  return await judgeValue(found, 'staging_pipeline', () => lookUp<Pipeline>(session, name, 'stagpipe'))
}

/** Why detection found none, and what to do. */
function whyNone(
  { namespace }: Session,
  detection: Detection,
  top: SourceTop,
): readonly [reason: string, advice: string] {
  const taken = detection.candidates.find(({ verdict }) => verdict === 'taken')
  if (taken) {
    const requires = `${namesOf(taken.found, 'requires', 'require')} the pipeline ${taken.name}`
    const missing = `${requires}, which is neither in ${namespace} nor in ${SHARED_NAMESPACE}`
    const others = othersThatFit(detection).map((other) => `; ${other}`)
    return [`${missing}${others.join('')}`, `make it with \`stagectl bootstrap ${taken.name}\`, or ${GIVE_ONE}`]
  }
  const none = 'No pipeline can be detected from the files of the source'
  const [only = ''] = top.keys()
  if (top.size === 1 && only.endsWith('/'))
    return [`${none}, which holds only ${quote(only)}`, `give that directory, or ${GIVE_ONE}`]
  return [none, `${GIVE_ONE}, or see \`stagectl detect\` for the signs of each`]
}

async function noPipeline(
  { api, signal }: Session,
  [reason, advice]: readonly [reason: string, advice: string],
): Promise<NotFound> {
  const pipelines = await api.get<Pipeline[]>('/v1/stagingpipelines', { signal })
  const available =
    pipelines.length === 0
      ? 'There are none yet: `stagectl bootstrap` makes those that come with stagerd.'
      : `Available pipelines:\n${pipelines.map(({ fqn }) => `  ${fqn}`).join('\n')}`
  return new NotFound('no-pipeline', `${reason}: ${advice}. ${available}`)
}
