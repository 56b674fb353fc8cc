import type { Command } from 'commander'
import { parseFqn, quote } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package, PackageChange } from '../../daemon/documents/package.js'
import { packagePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectEnvironment, collectKeys, type Environment } from '../options/parse-environment.js'
import { UsageError } from '../options/usage-error.js'
import type { Session } from '../session/session.js'

interface UpdateOptions {
  readonly name?: string
  readonly providesAdd?: Capability[]
  readonly providesRemove?: Capability[]
  readonly dependsAdd?: Capability[]
  readonly dependsRemove?: Capability[]
  readonly envSet?: Environment
  readonly envUnset?: string[]
}

export function addPackageUpdateCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('update <package>')
    .description('Change the local name or the metadata of a package. Its namespace and its data do not change.')
    .option('--name <name>', 'new local name')
    .option('--provides-add <type.name,...>', 'add capabilities that it provides (repeatable)', collectCapabilities)
    .option(
      '--provides-remove <type.name,...>',
      'remove capabilities that it provides (repeatable)',
      collectCapabilities,
    )
    .option('--depends-add <type.name,...>', 'add dependencies (repeatable)', collectCapabilities)
    .option('--depends-remove <type.name,...>', 'remove dependencies (repeatable)', collectCapabilities)
    .option('--env-set <key=value>', 'set an environment variable (repeatable)', collectEnvironment)
    .option('--env-unset <key,...>', 'remove environment variables (repeatable)', collectKeys)
    .addHelpText(
      'after',
      examples(
        'package update my-app --env-set NODE_ENV=production --env-unset DEBUG',
        'package update /prod/pkg::package-A --name package-B',
      ),
    )
    .action(
      commandLine.run(async (session, options: UpdateOptions, name: string) => {
        const change = changeOf(options)
        if (options.name !== undefined) assertSameNamespace(session, name, options.name)
        if (Object.keys(change).length === 0)
          throw new UsageError(
            'There is nothing to change: give at least one option (see `stagectl package update --help`).',
          )
        const ref = session.ref(name, 'package')
        const updated = await session.api.patch<Package>(packagePath(ref), change, { signal: session.signal })
        await session.output.result(updated, () => `Updated ${updated.fqn}.`)
        return EXIT.success
      }),
    )
}

/** Throws `UsageError` when the new name is an FQN in another namespace: only the local name can change. */
function assertSameNamespace(session: Session, before: string, after: string): void {
  if (!after.includes('::')) return
  const wanted = parseFqn(after, 'package', session.namespace)
  const current = isUuid(before) ? undefined : parseFqn(before, 'package', session.namespace)
  if (wanted.namespace !== current?.namespace)
    throw new UsageError(
      `A package cannot move to another namespace, so ${quote(after)} is not a possible name: give a local name such as ${wanted.name}, or export the package and import it with -o in the other namespace.`,
    )
}

function changeOf(options: UpdateOptions): PackageChange {
  return {
    ...(options.name === undefined ? {} : { name: options.name.slice(options.name.lastIndexOf(':') + 1) }),
    ...(options.providesAdd ? { provides_add: options.providesAdd } : {}),
    ...(options.providesRemove ? { provides_remove: options.providesRemove } : {}),
    ...(options.dependsAdd ? { dependencies_add: options.dependsAdd } : {}),
    ...(options.dependsRemove ? { dependencies_remove: options.dependsRemove } : {}),
    ...(options.envSet ? { environment_set: { ...options.envSet } } : {}),
    ...(options.envUnset ? { environment_unset: options.envUnset } : {}),
  }
}
