import type { Command } from 'commander'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Resolution, ResolutionQuestion } from '../../daemon/documents/resolution.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describeResolution } from '../display/describe-resolution.js'
import { EXIT } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { UsageError } from '../options/usage-error.js'
import type { GlobalOptions, Session } from '../session/session.js'

interface ResolveOptions {
  readonly dependsOn?: Capability[]
  readonly explain?: boolean
}

export function addPackageResolveCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('resolve [package]')
    .description('What the dependencies of a package, or those that are named, resolve to now. Nothing is changed.')
    .option('--depends-on <type.name,...>', 'resolve this, too (repeatable)', collectCapabilities)
    .option('--explain', 'for every dependency every candidate, and why it was taken or refused')
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
    throw new UsageError('There is nothing to resolve: name a package, or dependencies with --depends-on.')
  const question: ResolutionQuestion = {
    // The rules are those of the package's own namespace; mere dependencies are those of a job in the current one.
    ...(name === undefined ? { namespace: session.namespace } : { package: session.ref(name, 'package') }),
    ...(dependsOn ? { dependencies: dependsOn } : {}),
  }
  const found = await session.api.post<Resolution>('/v1/packages/resolution', question, { signal: session.signal })
  await session.output.result(found, () => describeResolution(session.output.style, found, explain))
  return EXIT.success
}
