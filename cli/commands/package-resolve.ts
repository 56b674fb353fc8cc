import type { Command } from 'commander'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Resolution, ResolutionQuestion } from '../../daemon/documents/resolution.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describeResolution } from '../display/describe-resolution.js'
import { EXIT } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { UsageError } from '../options/usage-error.js'
import { refInUse } from '../session/look-up.js'
import type { GlobalOptions, Session } from '../session/session.js'

interface ResolveOptions {
  readonly dependsOn?: Capability[]
  readonly explain?: boolean
}

export function addPackageResolveCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('resolve [package]')
    .description('Show what the dependencies of a package, or the given dependencies, resolve to. Changes nothing.')
    .option(
      '--depends-on <type.name,...>',
      'dependencies to resolve, in addition to those of the package (repeatable)',
      collectCapabilities,
    )
    .option('--explain', 'show the candidates for each dependency, and why each was taken or refused')
    .addHelpText(
      'after',
      examples(
        'package resolve my-app --explain',
        'package resolve --depends-on runtime.ruby,os.linux --namespace /prod --explain',
      ),
    )
    .action(commandLine.run(resolve))
}

async function resolve(
  session: Session,
  options: ResolveOptions & GlobalOptions,
  name: string | undefined,
): Promise<number> {
  const { dependsOn, explain = false } = options
  if (name === undefined && !dependsOn)
    throw new UsageError('There is nothing to resolve: give a package, or dependencies with --depends-on.')
  const question: ResolutionQuestion = {
    // A package resolves by the policies of its own namespace, bare dependencies by those of the current namespace.
    ...(name === undefined ? { namespace: session.namespace } : { package: await refInUse(session, name, 'package') }),
    ...(dependsOn ? { dependencies: dependsOn } : {}),
  }
  const resolution = await session.api.post<Resolution>('/v1/packages/resolution', question, { signal: session.signal })
  await session.output.result(resolution, () => describeResolution(session.output.style, resolution, explain))
  return EXIT.success
}
