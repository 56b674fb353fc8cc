import type { Command } from 'commander'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Pipeline, PipelineDraft } from '../../daemon/documents/pipeline.js'
import type { Stager, StagerDraft } from '../../daemon/documents/stager.js'
import { packagePath, pipelinePath, stagerPath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectLabels } from '../options/collect-labels.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { collectSecretNames } from '../options/secret-options.js'
import { addLimitOptions, limitsOf, type LimitOptions } from '../options/limit-options.js'
import { assertNameAvailable } from '../session/assert-name-available.js'
import { lookUp } from '../session/look-up.js'
import type { Session } from '../session/session.js'
import { findReplaceable } from '../transfer/put-package.js'
import { programPackageOf } from '../transfer/program-package.js'
import { putProgram } from '../transfer/put-program.js'

interface CreateOptions extends LimitOptions {
  readonly path: string
  readonly startCommand: string
  readonly staging?: string
  readonly additive?: boolean
  readonly pipeline?: boolean
  readonly allowEgress?: boolean
  readonly reproducible?: boolean
  readonly cleanEnvironment?: boolean
  readonly secret?: readonly string[]
  readonly user?: string
  readonly dependsOn?: readonly Capability[]
  readonly expects?: readonly Capability[]
  readonly label?: readonly string[]
  readonly env?: Environment
}

export function addStagerCreateCommand(group: Command, commandLine: CommandLine): void {
  const command = group
    .command('create <name>')
    .description(
      'Create a stager from a directory with its program. Its program is in the package stager-NAME and runs in /app.',
    )
    .option('-p, --path <dir>', 'directory with the program', '.')
    .requiredOption('--start-command <cmd>', 'command that starts the program, run in /app')
    .option('--staging <pipeline>', 'stage the program through this pipeline first')
    .option('--additive', 'run the program with the dependencies of the package to be staged')
    .option('--pipeline', 'also create a pipeline of the same name with this stager')
    .option('--allow-egress', 'allow network access beyond the host')
    .option(
      '--reproducible',
      'its result depends on nothing but what it is given, although it has egress: then it is reused if nothing has changed',
    )
    .option(
      '--clean-environment',
      'for a scanner: give it no variable of the package that it stages; it reads them as metadata',
    )
    .option(
      '--secret <name,...>',
      'names of the secrets that it takes from `stagectl stage --secret` (repeatable)',
      collectSecretNames,
    )
    .option('--user <user>', 'user in the container to run as (default: runner)')
    .option('--depends-on <type.name,...>', 'dependencies of the program (repeatable)', collectCapabilities)
    .option(
      '--expects <type.name,...>',
      'what packages are expected to get from it: one without dependencies is staged as if it had these (repeatable)',
      collectCapabilities,
    )
    .option('--label <label,...>', 'run it only on nodes that have these labels (repeatable)', collectLabels)
    .option('-e, --env <key=value>', 'environment variable for the program (repeatable)', collectEnvironment)
    .addHelpText(
      'after',
      examples(
        'stager create static-site --path ./static-site --start-command ./stager --depends-on os.debian --pipeline',
        'stager create ruby-rspec -p rspec-stager --start-command=./rspec-stager --additive --timeout 20m',
      ),
    )
  addLimitOptions(command).action(commandLine.run(create))
}

async function create(session: Session, options: CreateOptions, name: string): Promise<number> {
  const { api, output, signal } = session
  const { fqn, ...names } = session.newName(name, 'job')
  const pipelineName = session.newName(`${names.namespace}::${names.name}`, 'stagpipe')
  const program = session.newName(programPackageOf(names), 'package')

  // Check for conflicts before packing and uploading.
  await assertNameAvailable(session, stagerPath(fqn), fqn, `change it with \`stagectl stager update ${name}\`.`)
  if (options.pipeline === true)
    await assertNameAvailable(session, pipelinePath(pipelineName.fqn), pipelineName.fqn, 'omit --pipeline.')
  const staging =
    options.staging === undefined ? undefined : await lookUp<Pipeline>(session, options.staging, 'stagpipe')
  const before = await findReplaceable(session, program.fqn)

  const result = await putProgram(session, {
    directory: options.path,
    names: { namespace: program.namespace, name: program.name },
    before,
    dependencies: options.dependsOn,
    staging,
  })
  if (result.kind === 'failed') {
    if (output.json) await output.document(result.staging)
    return exitCodeOfStaging(result.staging)
  }
  const stager = await createOrUndo(
    session,
    draftOf(names, result.document, options),
    before ? undefined : result.document,
  )
  if (options.pipeline === true) {
    const draft: PipelineDraft = { ...names, stagers: [stager.uuid] }
    await api.post<Pipeline>('/v1/stagingpipelines', draft, { signal })
  }
  await output.result(stager, () =>
    options.pipeline === true ? `Created ${stager.fqn} and ${pipelineName.fqn}.` : `Created ${stager.fqn}.`,
  )
  return EXIT.success
}

function draftOf(
  names: { readonly namespace: string; readonly name: string },
  { uuid }: Package,
  options: CreateOptions,
): StagerDraft {
  const limits = limitsOf(options)
  return {
    ...names,
    package: uuid,
    start_command: options.startCommand,
    ...(options.additive === undefined ? {} : { additive: options.additive }),
    ...(options.allowEgress === undefined ? {} : { allow_egress: options.allowEgress }),
    ...(options.reproducible === undefined ? {} : { reproducible: options.reproducible }),
    ...(options.cleanEnvironment === undefined ? {} : { clean_environment: options.cleanEnvironment }),
    ...(options.secret === undefined ? {} : { secrets: [...options.secret] }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.expects === undefined ? {} : { expects: [...options.expects] }),
    ...(options.label === undefined ? {} : { labels: [...options.label] }),
    ...(options.env === undefined ? {} : { environment: { ...options.env } }),
    ...(limits ? { limits } : {}),
  }
}

/** Creates the stager. If that fails, deletes the package that this command has created for it. */
async function createOrUndo(
  { api, signal }: Session,
  draft: StagerDraft,
  newPackage: Package | undefined,
): Promise<Stager> {
  try {
    return await api.post<Stager>('/v1/stagers', draft, { signal })
  } catch (error) {
    // Reports the first error only. Cleans up without the signal, so that Ctrl-C does not prevent it.
    if (newPackage) await api.delete(packagePath(newPackage.uuid)).catch(() => undefined)
    throw error
  }
}
