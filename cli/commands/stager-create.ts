import type { Command } from 'commander'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Pipeline, PipelineDraft } from '../../daemon/documents/pipeline.js'
import type { Stager, StagerDraft } from '../../daemon/documents/stager.js'
import { packagePath, pipelinePath, stagerPath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { addLimitOptions, limitsOf, type LimitOptions } from '../options/limit-options.js'
import { assertNameFree } from '../session/assert-name-free.js'
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
  readonly user?: string
  readonly dependsOn?: readonly Capability[]
  readonly env?: Environment
}

export function addStagerCreateCommand(group: Command, commandLine: CommandLine): void {
  const command = group
    .command('create <name>')
    .description(
      'Make a stager of a directory with its program, which it finds in /app; the package stager-NAME holds it.',
    )
    .requiredOption('-p, --path <dir>', 'directory with the program')
    .requiredOption('--start-command <cmd>', 'how to start it, from /app')
    .option('--staging <pipeline>', 'take the program itself through this pipeline first')
    .option('--additive', 'run on what the package to be staged depends on, with the program on top')
    .option('--pipeline', 'make a pipeline of the same name, of this stager alone')
    .option('--allow-egress', 'let it reach beyond the host')
    .option('--user <user>', 'run as this user of its operating system (default: runner)')
    .option('--depends-on <type.name,...>', 'what the program needs (repeatable)', collectCapabilities)
    .option('-e, --env <key=value>', 'a variable for the program (repeatable)', collectEnvironment)
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

  // Whatever stands in the way is found before the work is done.
  await assertNameFree(session, stagerPath(fqn), fqn, `change it with \`stagectl stager update ${name}\`.`)
  if (options.pipeline === true)
    await assertNameFree(session, pipelinePath(pipelineName.fqn), pipelineName.fqn, 'leave --pipeline out.')
  const staging =
    options.staging === undefined
      ? undefined
      : await api.get<Pipeline>(pipelinePath(session.ref(options.staging, 'stagpipe')), { signal })
  const before = await findReplaceable(session, program.fqn)

  const put = await putProgram(session, {
    directory: options.path,
    names: { namespace: program.namespace, name: program.name },
    before,
    dependencies: options.dependsOn,
    staging,
  })
  if (put.kind === 'failed') {
    if (output.json) await output.document(put.staging)
    return exitCodeOfStaging(put.staging)
  }
  const stager = await createOrUndo(session, draftOf(names, put.document, options), before ? undefined : put.document)
  if (options.pipeline === true) {
    const draft: PipelineDraft = { ...names, stagers: [stager.uuid] }
    await api.post<Pipeline>('/v1/stagingpipelines', draft, { signal })
  }
  await output.result(stager, () =>
    options.pipeline === true ? `Made ${stager.fqn} and ${pipelineName.fqn}.` : `Made ${stager.fqn}.`,
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
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.env === undefined ? {} : { environment: { ...options.env } }),
    ...(limits ? { limits } : {}),
  }
}

/** A stager that is refused leaves no package behind that was made for it alone. */
async function createOrUndo(
  { api, signal }: Session,
  draft: StagerDraft,
  madeForIt: Package | undefined,
): Promise<Stager> {
  try {
    return await api.post<Stager>('/v1/stagers', draft, { signal })
  } catch (error) {
    // The first error is the one to tell of; and the user's Ctrl-C does not keep us from tidying up.
    if (madeForIt) await api.delete(packagePath(madeForIt.uuid)).catch(() => undefined)
    throw error
  }
}
