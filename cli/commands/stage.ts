import path from 'node:path'
import type { Command } from 'commander'
import { quote } from '../../base/fqn.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Staging, StagingDraft } from '../../daemon/documents/staging.js'
import { packagePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { timed } from '../display/timed.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { followStaging } from '../follow/follow-staging.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { UsageError } from '../options/usage-error.js'
import { isJavaArchive } from '../pack/archive-kind.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { choosePipeline } from '../source/choose-pipeline.js'
import { locateApplication, withinManifest, type Application } from '../source/locate-application.js'
import { nameOfSource } from '../source/name-of-source.js'
import { download } from '../transfer/download.js'
import { assertTarget } from '../transfer/part-file.js'
import { prepareDirectory, prepareFile } from '../transfer/prepare-tarball.js'
import { assertNoProgram, findReplaceable, putPackage, type PackageContents } from '../transfer/put-package.js'
import { upload } from '../transfer/upload.js'

interface StageOptions {
  readonly config?: string
  readonly name?: string
  readonly pipeline?: string
  readonly dependsOn?: readonly Capability[]
  readonly env?: Environment
  readonly output?: string
  readonly detach?: boolean
  /** False for --no-reuse. */
  readonly reuse: boolean
}

export function addStageCommand(program: Command, commandLine: CommandLine): void {
  program
    .command('stage [source]')
    .description(
      'Stage a source directory, a tarball or a zip: run it through a pipeline, which makes a package that is ready to run. ' +
        'An .apcignore file excludes files of a directory. An existing package of the same name gets the new data. ' +
        'A manifest, continuum.conf in the directory, names the package and the pipeline, and what the package needs; options go over it.',
    )
    .option('--config <file>', 'manifest to use; without a source, it says where the source is')
    .option('--name <name>', 'name of the package (default: the name of the directory or archive)')
    .option(
      '--pipeline <pipeline>',
      'pipeline to use (default: detected from the files of the directory, as `stagectl detect` explains)',
    )
    .option(
      '--depends-on <type.name,...>',
      'dependencies of the package, such as runtime.node-20; they replace existing ones (repeatable)',
      collectCapabilities,
    )
    .option('-e, --env <key=value>', 'environment variable of the package (repeatable)', collectEnvironment)
    .option('-o, --output <file>', 'download the result to this file')
    .option('--no-reuse', 'stage it even if nothing has changed since an earlier result')
    .option('--detach', 'print the ID of the staging instead of following it')
    .addHelpText(
      'after',
      examples(
        'stage ./my-app',
        'stage ./my-app --pipeline /apcera::nodejs -e NODE_ENV=production --output my-app.tar.gz',
        'stage ./my-app --config staging.conf',
        'stage site.tar.gz --pipeline static-site --depends-on os.debian --detach',
      ),
    )
    .action(commandLine.run(stage))
}

async function stage(
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
  // Check all arguments before packing and uploading.
  const target = session.newName(options.name ?? manifest.name ?? (await derivedName(session, application)), 'package')
  const pipeline = await choosePipeline(
    session,
    options.pipeline ?? manifest.staging_pipeline,
    isDirectory || isJavaArchive(file) ? file : undefined,
  )
  const before = await findReplaceable(session, target.fqn)
  if (before) await assertNoProgram(session, before)
  if (options.output !== undefined) await assertTarget(path.resolve(session.io.cwd, options.output))

  const tarball = isDirectory
    ? await timed(output, 'Packed', () => prepareDirectory(session, file, '', leaveOut))
    : await timed(output, 'Read', () => prepareFile(session, file))
  const { sha256 } = await timed(output, 'Uploaded', () => upload(session, tarball, target.namespace))
  const contents = {
    resource: sha256,
    dependencies: options.dependsOn,
    environment: options.env,
    manifest: manifestOf(application, options, before),
  }
  const draft = await draftOf(session, target, before, contents)
  const submission = { ...draft, pipeline: pipeline.uuid, ...(options.reuse ? {} : { reuse: false }) }
  const submitted = await api.post<Staging>('/v1/stagings', submission, { signal })
  if (options.detach === true) {
    await output.result(submitted, () => submitted.uuid)
    return EXIT.success
  }
  const ended = await followStaging(session, submitted.uuid)
  if (ended.state === 'succeeded' && options.output !== undefined) {
    const { output: file } = options
    const result = await api.get<Package>(packagePath(draft.package), { signal })
    await timed(output, 'Downloaded', () => download(session, result, file))
    await output.note(`The result is in ${file}.`)
  }
  if (output.json) await output.document(ended)
  return exitCodeOfStaging(ended)
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
  if (!before?.resource)
    return { package: (await putPackage(session, target, before, { ...contents, state: 'uploaded' })).uuid }
  const { resource, dependencies, environment, manifest } = contents
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
  { text, manifest }: Application,
  { env }: StageOptions,
  before: Package | undefined,
): PackageContents['manifest'] {
  if (text !== undefined) return { text, dependencies: manifest.package_dependencies }
  return before?.manifest || env?.START_COMMAND ? { text: '', dependencies: undefined } : undefined
}

/** A name that differs from what it was derived from is told: it is what the user needs for every further command. */
async function derivedName({ output }: Session, { named }: Application): Promise<string> {
  const { name, stem } = nameOfSource(named.file, named.isDirectory)
  if (name !== stem)
    await output.note(`The package is named ${quote(name)}, because ${quote(stem)} is no name; --name chooses another.`)
  return name
}
