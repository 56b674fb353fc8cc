import type { Command } from 'commander'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package, PackageChange } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Stager, StagerChange } from '../../daemon/documents/stager.js'
import { packagePath, stagerPath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectLabels } from '../options/collect-labels.js'
import { collectEnvironment, collectKeys, type Environment } from '../options/parse-environment.js'
import { collectSecretNames } from '../options/secret-options.js'
import { addLimitOptions, limitsOf, type LimitOptions } from '../options/limit-options.js'
import { UsageError } from '../options/usage-error.js'
import { lookUp } from '../session/look-up.js'
import type { Session } from '../session/session.js'
import { findReplaceable } from '../transfer/put-package.js'
import { putProgram, type ProgramResult } from '../transfer/put-program.js'

interface UpdateOptions extends LimitOptions {
  readonly path?: string
  readonly staging?: string
  readonly name?: string
  readonly startCommand?: string
  readonly additive?: boolean
  readonly allowEgress?: boolean
  readonly reproducible?: boolean
  readonly cleanEnvironment?: boolean
  readonly secretAdd?: readonly string[]
  readonly secretRemove?: readonly string[]
  readonly user?: string
  readonly dependsAdd?: Capability[]
  readonly dependsRemove?: Capability[]
  readonly expectsAdd?: Capability[]
  readonly label?: readonly string[] | false
  readonly expectsRemove?: Capability[]
  readonly envSet?: Environment
  readonly envUnset?: string[]
}

export function addStagerUpdateCommand(group: Command, commandLine: CommandLine): void {
  const command = group
    .command('update <stager>')
    .description('Change a stager or its program. Running stagings keep the stager as it was when they started.')
    .option('-p, --path <dir>', 'directory with a new program, which replaces the current one')
    .option('--staging <pipeline>', 'stage the new program through this pipeline first')
    .option('--name <name>', 'new local name')
    .option('--start-command <cmd>', 'command that starts the program, run in /app')
    .option('--additive', 'run the program with the dependencies of the package to be staged')
    .option('--no-additive', 'run the program with its own dependencies only')
    .option('--allow-egress', 'allow network access beyond the host')
    .option('--no-allow-egress', 'deny network access beyond the host')
    .option('--reproducible', 'reuse its results if nothing has changed, although it has egress')
    .option('--no-reproducible', 'never reuse its results as long as it has egress')
    .option('--clean-environment', 'give it no variable of the package that it stages')
    .option('--no-clean-environment', 'give it the variables of the package, but for those that steer programs')
    .option('--secret-add <name,...>', 'let it take secrets of these names (repeatable)', collectSecretNames)
    .option('--secret-remove <name,...>', 'let it not take these any more (repeatable)', collectSecretNames)
    .option('--user <user>', 'user in the container to run as')
    .option('--depends-add <type.name,...>', 'add dependencies of the program (repeatable)', collectCapabilities)
    .option('--depends-remove <type.name,...>', 'remove dependencies of the program (repeatable)', collectCapabilities)
    .option('--expects-add <type.name,...>', 'expect packages to get these from it (repeatable)', collectCapabilities)
    .option('--expects-remove <type.name,...>', 'do not expect these any more (repeatable)', collectCapabilities)
    .option('--label <label,...>', 'run it only on nodes that have these labels, and need no others', collectLabels)
    .option('--no-label', 'run it on any node')
    .option('--env-set <key=value>', 'set an environment variable (repeatable)', collectEnvironment)
    .option('--env-unset <key,...>', 'remove environment variables (repeatable)', collectKeys)
    .addHelpText(
      'after',
      examples('stager update nodejs --path ./nodejs-stager', 'stager update nodejs --timeout 30m --memory 1GB'),
    )
  addLimitOptions(command).action(commandLine.run(update))
}

async function update(session: Session, options: UpdateOptions, name: string): Promise<number> {
  if (options.staging !== undefined && options.path === undefined)
    throw new UsageError('--staging needs a new program: give its directory with --path.')
  const change = changeOf(options)
  const packageChange = packageChangeOf(options)
  const parts = [change, packageChange].filter((part) => Object.keys(part).length > 0)
  if (parts.length === 0 && options.path === undefined)
    throw new UsageError('There is nothing to change: give at least one option (see `stagectl stager update --help`).')

  const { api, output, signal } = session
  const before = await api.get<Stager>(stagerPath(session.ref(name, 'job')), { signal })
  if (Object.keys(packageChange).length > 0)
    await api.patch<Package>(packagePath(before.package), packageChange, { signal })
  if (options.path !== undefined) {
    const result = await replaceProgram(session, before, options.path, options.staging)
    if (result.kind === 'failed') {
      if (output.json) await output.document(result.staging)
      return exitCodeOfStaging(result.staging)
    }
  }
  const updated =
    Object.keys(change).length > 0
      ? await api.patch<Stager>(stagerPath(before.uuid), change, { signal })
      : await api.get<Stager>(stagerPath(before.uuid), { signal })
  await output.result(updated, () => `Updated ${updated.fqn}.`)
  return EXIT.success
}

async function replaceProgram(
  session: Session,
  stager: Stager,
  directory: string,
  staging: string | undefined,
): Promise<ProgramResult> {
  const pipeline = staging === undefined ? undefined : await lookUp<Pipeline>(session, staging, 'stagpipe')
  const names = session.newName(stager.package, 'package')
  const before = await findReplaceable(session, names.fqn)
  return await putProgram(session, { directory, names, before, dependencies: undefined, staging: pipeline })
}

function changeOf(options: UpdateOptions): StagerChange {
  const limits = limitsOf(options)
  return {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.startCommand === undefined ? {} : { start_command: options.startCommand }),
    ...(options.additive === undefined ? {} : { additive: options.additive }),
    ...(options.allowEgress === undefined ? {} : { allow_egress: options.allowEgress }),
    ...(options.reproducible === undefined ? {} : { reproducible: options.reproducible }),
    ...(options.cleanEnvironment === undefined ? {} : { clean_environment: options.cleanEnvironment }),
    ...(options.secretAdd === undefined ? {} : { secrets_add: [...options.secretAdd] }),
    ...(options.secretRemove === undefined ? {} : { secrets_remove: [...options.secretRemove] }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.expectsAdd ? { expects_add: options.expectsAdd } : {}),
    ...(options.expectsRemove ? { expects_remove: options.expectsRemove } : {}),
    ...(options.label === undefined ? {} : { labels: options.label === false ? [] : [...options.label] }),
    ...(options.envSet ? { environment_set: { ...options.envSet } } : {}),
    ...(options.envUnset ? { environment_unset: options.envUnset } : {}),
    ...(limits ? { limits } : {}),
  }
}

/** The dependencies of a program belong to its package. */
function packageChangeOf(options: UpdateOptions): PackageChange {
  return {
    ...(options.dependsAdd ? { dependencies_add: options.dependsAdd } : {}),
    ...(options.dependsRemove ? { dependencies_remove: options.dependsRemove } : {}),
  }
}
