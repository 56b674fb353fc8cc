import path from 'node:path'
import { quote } from '../../base/fqn.js'
import { settleAll } from '../../base/settle-all.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { StagingDraft } from '../../daemon/documents/staging.js'
import { ApiProblem } from '../api/api-problem.js'
import { packagePath } from '../api/paths.js'
import { timed } from '../display/timed.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { followStaging, submitStaging, type SubmittedStaging } from '../follow/follow-staging.js'
import { keepFailedOf } from '../options/parse-keep.js'
import { UsageError } from '../options/usage-error.js'
import { isJavaArchive } from '../pack/archive-kind.js'
import { isLocal } from '../session/look-up.js'
import { readNotify } from '../session/read-notify.js'
import { readSecrets } from '../session/read-secrets.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { choosePipeline } from '../source/choose-pipeline.js'
import { locateApplication, withinManifest, type Application } from '../source/locate-application.js'
import { judgeValue } from '../source/manifest-place.js'
import { nameOfSource } from '../source/name-of-source.js'
import { download } from '../transfer/download.js'
import { assertTarget } from '../transfer/part-file.js'
import { prepareFile } from '../transfer/prepare-tarball.js'
import {
  assertNoProgram,
  findReplaceable,
  listStagers,
  putPackage,
  type PackageContents,
} from '../transfer/put-package.js'
import { upload } from '../transfer/upload.js'
import { SourceUpload } from '../transfer/upload-source.js'
import { assertRuntime, warnOfDependencies, withRuntime } from '../source/wishes.js'
import type { StageImageOptions } from './stage-image.js'

/** The pipeline of sources for which a buildpack is chosen. */
const BUILDPACK_PIPELINE = 'buildpack'

export interface StageOptions extends StageImageOptions {
  readonly config?: string
  readonly image?: string
  readonly buildpack?: string
  /** False for --no-reuse. */
  readonly reuse: boolean
}

/** What is staged, and as what. */
interface Given {
  readonly options: StageOptions & GlobalOptions
  readonly application: Application
  readonly target: { readonly namespace: string; readonly name: string; readonly fqn: string }
  /** Undefined for an archive. */
  readonly directory: SourceUpload | undefined
  /** Undefined for one that is named in full, which has not been looked up. */
  readonly pipeline: Pipeline | undefined
}

export async function stageSource(
  opened: Session,
  options: StageOptions & GlobalOptions,
  source: string | undefined,
): Promise<number> {
  if (options.detach === true && options.output !== undefined)
    throw new UsageError('--output and --detach exclude each other: give only one of them.')
  const application = await locateApplication(opened, source, options.config)
  const { file, isDirectory, manifest, leaveOut } = application
  const session = withinManifest(opened, options, manifest)
  const target = session.newName(options.name ?? manifest.name ?? (await derivedName(session, application)), 'package')
  if (options.output !== undefined) await assertTarget(path.resolve(session.io.cwd, options.output))
  const directory = isDirectory ? new SourceUpload(session, { directory: file, leaveOut }) : undefined
  try {
    const named = pipelineName(options)
    const pipeline = named === undefined || isLocal(named) ? await choose(session, options, application) : undefined
    const given = { options, application, target, directory, pipeline }
    const submitted = (await submitUnchanged(session, given)) ?? (await submitChanged(session, given))
    return await conclude(session, options, submitted)
  } finally {
    await directory?.close()
  }
}

/**
 * A source that has not changed since it was uploaded is submitted at once: to ask before whether all is there would take
 * longer than the answer. Undefined where there is more to say or to ask, which `submitChanged` does; so it also explains
 * what is missing or busy.
 */
async function submitUnchanged(session: Session, given: Given): Promise<SubmittedSource | undefined> {
  const { options, application, target, directory, pipeline } = given
  const { dependsOn, runtime, buildpack, secret, notify, env } = options
  if (!directory || application.from || dependsOn || runtime || buildpack !== undefined || secret || notify)
    return undefined
  const resource = await directory.unchanged()
  if (resource === undefined) return undefined
  const draft = {
    package: target.fqn,
    pipeline: pipeline?.uuid ?? session.ref(pipelineName(options) ?? '', 'stagpipe'),
    ...submissionOf(options),
    source: { resource, manifest: '', ...(env ? { environment: { ...env } } : {}) },
  }
  try {
    return await submit(session, options, draft)
  } catch (error) {
    if (error instanceof ApiProblem && (error.status === 404 || error.status === 409)) return undefined
    throw error
  }
}

/** All arguments are checked before anything is sent. */
async function submitChanged(session: Session, given: Given): Promise<SubmittedSource> {
  const { options, application, target, directory } = given
  const { pipeline, before, wishes, secrets, notify, buildpack } = await check(session, given)
  const { file, named, from } = application
  const { sha256 } = directory
    ? await directory.upload({ namespace: target.namespace, before })
    : await judgeValue(file === named.file ? undefined : from, 'path', () =>
        uploadFile(session, file, target.namespace),
      )
  const draft = await draftOf(session, target, before, {
    resource: sha256,
    dependencies: wishes.dependencies,
    environment: buildpack ? { ...wishes.environment, ...buildpack } : wishes.environment,
    manifest: manifestOf(application, options, before),
  })
  return await submit(session, options, {
    ...draft,
    ...submissionOf(options),
    ...secrets,
    ...notify,
    pipeline: pipeline.uuid,
  })
}

function submissionOf(options: StageOptions): Pick<StagingDraft, 'keep_failed_seconds' | 'reuse'> {
  return { ...keepFailedOf(options), ...(options.reuse ? {} : { reuse: false }) }
}

/** Of the package that `subject` refers to. */
type SubmittedSource = SubmittedStaging & { readonly subject: string }

async function submit(session: Session, options: StageOptions, document: StagingDraft): Promise<SubmittedSource> {
  const request = { path: '/v1/stagings', document, withLog: options.detach !== true }
  return { ...(await submitStaging(session, request)), subject: document.package }
}

/** Follows it to its end, unless the user wants to go on. */
async function conclude(session: Session, options: StageOptions, submitted: SubmittedSource): Promise<number> {
  const { api, output, signal } = session
  if (options.detach === true) {
    await output.result(submitted.document, () => submitted.uuid)
    return EXIT.success
  }
  const ended = await followStaging(session, submitted)
  if (ended.state === 'succeeded' && options.output !== undefined) {
    const { output: file } = options
    const result = await api.get<Package>(packagePath(submitted.subject), { signal })
    await timed(output, 'Downloaded', () => download(session, result, file))
    await output.note(`The result is in ${file}.`)
  }
  if (output.json) await output.document(ended)
  return exitCodeOfStaging(ended)
}

function pipelineName({ pipeline, buildpack }: StageOptions): string | undefined {
  return pipeline ?? (buildpack === undefined ? undefined : BUILDPACK_PIPELINE)
}

function choose(session: Session, options: StageOptions, { file, isDirectory, from }: Application): Promise<Pipeline> {
  return choosePipeline(session, {
    option: pipelineName(options),
    manifest: from,
    source: isDirectory || isJavaArchive(file) ? file : undefined,
  })
}

/** What the arguments name, and what they wish. Throws what each of them throws that is wrong. */
async function check(session: Session, { options, application, target, pipeline: chosen }: Given) {
  const { from, manifest } = application
  const [pipeline, before, stagers] = await settleAll([
    chosen ?? choose(session, options, application),
    findReplaceable(session, target.fqn),
    listStagers(session),
  ])
  if (before)
    await judgeValue(options.name === undefined && manifest.name ? from : undefined, 'name', () =>
      assertNoProgram(before, stagers),
    )
  await assertRuntime(session, target.namespace, options.runtime)
  const dependencies = options.dependsOn ?? (options.runtime && manifest.package_dependencies)
  const wishes = withRuntime({ dependencies, environment: options.env }, options.runtime, before)
  if (from) await warnOfDependencies(session, { from, namespace: target.namespace, wanted: wishes.dependencies })
  const secrets = await readSecrets(session, options.secret)
  const notify = await readNotify(session, options)
  const buildpack = options.buildpack === undefined ? undefined : await buildpackOf(session, options.buildpack)
  return { pipeline, before, wishes, secrets, notify, buildpack }
}

/** The variables of the package for it. What fetches buildpacks is half as large as all the rest, and is loaded only here. */
async function buildpackOf(session: Session, given: string): Promise<Readonly<Record<string, string>>> {
  const { chooseBuildpack } = await import('../source/choose-buildpack.js')
  // The stager reads this one (stagers/buildpack/stage).
  return { BUILDPACK: await chooseBuildpack(session, given) }
}

async function uploadFile(session: Session, file: string, namespace: string): Promise<{ readonly sha256: string }> {
  const tarball = await timed(session.output, 'Read', () => prepareFile(session, file))
  return await timed(session.output, 'Uploaded', () => upload(session, tarball, namespace))
}

/**
 * An existing package keeps its data until the staging succeeds, so that packages that depend on it never see the
 * source.
 */
async function draftOf(
  session: Session,
  target: { readonly namespace: string; readonly name: string },
  before: Package | undefined,
  contents: Omit<PackageContents, 'state'>,
): Promise<Omit<StagingDraft, 'pipeline'>> {
  const { resource, dependencies, environment, manifest } = contents
  // The source is named again: the daemon keeps in mind that the package was staged from it.
  if (!before?.resource) {
    const { uuid } = await putPackage(session, target, before, { ...contents, state: 'uploaded' })
    return { package: uuid, source: { resource } }
  }
  return {
    package: before.uuid,
    source: {
      resource,
      ...(dependencies ? { dependencies: [...dependencies] } : {}),
      ...(environment ? { environment: { ...environment } } : {}),
      ...(manifest ? { manifest: manifest.text } : {}),
    },
  }
}

/**
 * Undefined where the package neither has a manifest nor gets one. An empty one takes the place of one that is gone, or
 * keeps a start command, which goes over that of the stagers.
 */
function manifestOf(
  { from, manifest }: Application,
  { env }: StageOptions,
  before: Package | undefined,
): PackageContents['manifest'] {
  if (from) return { text: from.text, dependencies: manifest.package_dependencies }
  return before?.manifest || env?.START_COMMAND ? { text: '', dependencies: undefined } : undefined
}

/** A name that differs from what it was derived from is told: it is what the user needs for every further command. */
async function derivedName({ output }: Session, { named }: Application): Promise<string> {
  const { name, stem } = nameOfSource(named.file, named.isDirectory)
  if (name !== stem)
    await output.note(`The package is named ${quote(name)}, because ${quote(stem)} is no name; --name chooses another.`)
  return name
}
