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
    .description('Change the name or the metadata of a package; its namespace and its data stay.')
    .option('--name <name>', 'another local name; the namespace cannot be changed')
    .option('--provides-add <type.name,...>', 'others may depend on this, too (repeatable)', collectCapabilities)
    .option('--provides-remove <type.name,...>', 'nobody finds it by this any more (repeatable)', collectCapabilities)
    .option('--depends-add <type.name,...>', 'it needs this, too (repeatable)', collectCapabilities)
    .option('--depends-remove <type.name,...>', 'it does not need this any more (repeatable)', collectCapabilities)
    .option('--env-set <key=value>', 'add or replace a variable (repeatable)', collectEnvironment)
    .option('--env-unset <key,...>', 'take a variable away (repeatable)', collectKeys)
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
          throw new UsageError('Nothing to change was named: see `stagectl package update --help`.')
        const ref = session.ref(name, 'package')
        const changed = await session.api.patch<Package>(packagePath(ref), change, { signal: session.signal })
        await session.output.result(changed, () => `Changed ${changed.fqn}.`)
        return EXIT.success
      }),
    )
}

/** Throws `UsageError` for a full name of another namespace than the package's: only the local name can change. */
function assertSameNamespace(session: Session, before: string, after: string): void {
  if (!after.includes('::')) return
  const wanted = parseFqn(after, 'package', session.namespace)
  const now = isUuid(before) ? undefined : parseFqn(before, 'package', session.namespace)
  if (wanted.namespace !== now?.namespace)
    throw new UsageError(
      `A package stays in its namespace, so ${quote(after)} cannot be its name: --name takes a local name such as ${wanted.name}; to move it, export it and import it with -o in the other namespace.`,
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
