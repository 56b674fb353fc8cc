import path from 'node:path'
import type { Command } from 'commander'
import { quote } from '../../base/fqn.js'
import { settleAll } from '../../base/settle-all.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Staging, StagingDraft } from '../../daemon/documents/staging.js'
import { packagePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { timed } from '../display/timed.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { stageAndFollow } from '../follow/follow-staging.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectEnvironment } from '../options/parse-environment.js'
import { addKeepOption, keepFailedOf } from '../options/parse-keep.js'
import { addNotifyOptions, assertNotify } from '../options/notify-options.js'
import { addSecretOption } from '../options/secret-options.js'
import { parseRuntime } from '../options/parse-runtime.js'
import { UsageError } from '../options/usage-error.js'
import { isJavaArchive } from '../pack/archive-kind.js'
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
import { stageImage, type StageImageOptions } from './stage-image.js'

/** The pipeline of sources for which a buildpack is chosen. */
const BUILDPACK_PIPELINE = 'buildpack'

interface StageOptions extends StageImageOptions {
  readonly config?: string
  readonly image?: string
  readonly buildpack?: string
  /** False for --no-reuse. */
  readonly reuse: boolean
}

export function addStageCommand(program: Command, commandLine: CommandLine): void {
  const command = program
    .command('stage [source]')
    .description(
      'Stage a source directory, a tarball or a zip: run it through a pipeline, which makes a package that is ready to run. ' +
        'An .apcignore file excludes files of a directory. An existing package of the same name gets the new data; ' +
        'of a directory, only what has changed since is read and sent. ' +
        'A manifest, continuum.conf in the directory, names the package and the pipeline, and what the package needs; options go over it.',
    )
    .option('--config <file>', 'manifest to use; without a source, it says where the source is')
    .option(
      '--image <reference>',
      'stage a Docker image instead of a source, with the pipeline docker; pulled if the Docker Engine lacks it',
    )
    .option('--name <name>', 'name of the package (default: the name of the directory, archive or image)')
    .option(
      '--pipeline <pipeline>',
      'pipeline to use (default: detected from the files of the directory, as `stagectl detect` explains)',
    )
    .option(
      '--buildpack <buildpack>',
      'stage it by this buildpack: the name of one, a URL, or a directory, which becomes one (see `stagectl buildpack`)',
    )
    .option(
      '--depends-on <type.name,...>',
      'dependencies of the package, such as runtime.node-20; they replace existing ones (repeatable)',
      collectCapabilities,
    )
    .option(
      '--runtime <name-version>',
      'runtime of the package, such as node-20, whatever its files ask for (`stagectl package list` shows those that are there)',
      parseRuntime,
    )
    .option(
      '-e, --env <key=value>',
      'environment variable of the package, which goes into the package with its value: for secrets, see --secret (repeatable)',
      collectEnvironment,
    )
    .option('-o, --output <file>', 'download the result to this file')
    .option('--no-reuse', 'stage it even if nothing has changed since an earlier result')
    .option('--detach', 'print the ID of the staging instead of following it')
    .addHelpText(
      'after',
      examples(
        'stage ./my-app',
        'stage ./my-app --runtime node-20',
        'stage ./my-app --pipeline /apcera::nodejs -e NODE_ENV=production --output my-app.tar.gz',
        'stage ./my-app --config staging.conf',
        'stage ./my-app --buildpack https://buildpacks.example.org/go.tgz',
        'stage site.tar.gz --pipeline static-site --depends-on os.debian --detach',
        'stage ./my-app --keep-failed 15m',
        'stage ./my-app --secret NPM_TOKEN --secret id_rsa=deploy-key',
        'stage ./my-app --detach --notify https://ci.example.org/staged --notify-secret ./secret',
        'stage --image registry.example.com/team/shop:1.2 --name shop',
      ),
    )
  addNotifyOptions(addSecretOption(addKeepOption(command))).action(commandLine.run(stage))
}

async function stage(session: Session, options: StageOptions & GlobalOptions, source?: string): Promise<number> {
  assertNotify(options)
  if (options.image === undefined) return await stageSource(session, options, source)
  if (options.buildpack !== undefined)
    throw new UsageError('--image and --buildpack exclude each other: an image has been built.')
  if (source !== undefined || options.config !== undefined)
    throw new UsageError('Give either a source, such as `stagectl stage .`, or the name of an image with --image.')
  return await stageImage(session, options, options.image)
}

async function stageSource(
  opened: Session,
  options: StageOptions & GlobalOptions,
  source: string | undefined,
): Promise<number> {
  if (options.detach === true && options.output !== undefined)
    throw new UsageError('--output and --detach exclude each other: give only one of them.')
  const application = await locateApplication(opened, source, options.config)
  const { file, isDirectory, manifest, leaveOut } = application
  const session = withinManifest(opened, options, manifest)
  const { api, output, signal } = session
  const target = session.newName(options.name ?? manifest.name ?? (await derivedName(session, application)), 'package')
  const reading = isDirectory ? new SourceUpload(session, { directory: file, leaveOut }) : undefined
  // All arguments are checked before anything is sent.
  const { pipeline, before, wishes, secrets, notify, buildpack } = await check(
    session,
    options,
    application,
    target,
  ).catch(async (error: unknown) => {
    await reading?.abandon()
    throw error
  })
  const { sha256 } = reading
    ? await reading.upload({ namespace: target.namespace, before })
    : await judgeValue(file === application.named.file ? undefined : application.from, 'path', () =>
        uploadFile(session, file, target.namespace),
      )
  const contents = {
    resource: sha256,
    dependencies: wishes.dependencies,
    environment: buildpack ? { ...wishes.environment, ...buildpack } : wishes.environment,
    manifest: manifestOf(application, options, before),
  }
  const draft = await draftOf(session, target, before, contents)
  const submission = {
    ...draft,
    ...keepFailedOf(options),
    ...secrets,
    ...notify,
    ...(options.reuse ? {} : { reuse: false }),
    pipeline: pipeline.uuid,
  }
  if (options.detach === true) {
    const submitted = await api.post<Staging>('/v1/stagings', submission, { signal })
    await output.result(submitted, () => submitted.uuid)
    return EXIT.success
  }
  const ended = await stageAndFollow(session, { path: '/v1/stagings', document: submission })
  if (ended.state === 'succeeded' && options.output !== undefined) {
    const { output: file } = options
    const result = await api.get<Package>(packagePath(draft.package), { signal })
    await timed(output, 'Downloaded', () => download(session, result, file))
    await output.note(`The result is in ${file}.`)
  }
  if (output.json) await output.document(ended)
  return exitCodeOfStaging(ended)
}

/** What the arguments name, and what they wish. Throws what each of them throws that is wrong. */
async function check(
  session: Session,
  options: StageOptions & GlobalOptions,
  { file, isDirectory, manifest, from }: Application,
  target: { readonly namespace: string; readonly fqn: string },
) {
  const [pipeline, before, stagers] = await settleAll([
    choosePipeline(session, {
      option: options.pipeline ?? (options.buildpack === undefined ? undefined : BUILDPACK_PIPELINE),
      manifest: from,
      source: isDirectory || isJavaArchive(file) ? file : undefined,
    }),
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
  if (options.output !== undefined) await assertTarget(path.resolve(session.io.cwd, options.output))
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
