import type { Command } from 'commander'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package, PackageDraft } from '../../daemon/documents/package.js'
import { packagePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { assertNameAvailable } from '../session/assert-name-available.js'
import type { Session } from '../session/session.js'
import { prepareFile } from '../transfer/prepare-tarball.js'
import { upload } from '../transfer/upload.js'

interface FromFileOptions {
  readonly provides?: Capability[]
  readonly dependsOn?: Capability[]
  readonly environment?: Environment
}

export function addPackageFromFileCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('from-file <tarball> <name>')
    .description('Create a ready package from a tarball or a zip. The paths in it are relative to /.')
    .option(
      '--provides <type.name,...>',
      'capabilities that other packages can depend on (repeatable)',
      collectCapabilities,
    )
    .option('--depends-on <type.name,...>', 'capabilities that it depends on (repeatable)', collectCapabilities)
    .option(
      '-e, --environment <key=value>',
      'environment variable for packages that depend on it (repeatable); $PATH in PATH is the value so far',
      collectEnvironment,
    )
    .addHelpText(
      'after',
      examples(
        'package from-file debian-12.tar.gz /apcera/pkg/os::debian-12 --provides os.linux,os.debian,os.debian-12',
        "package from-file node.tar.xz node-20 --provides runtime.node --depends-on os.debian -e 'PATH=/opt/node/bin:$PATH'",
      ),
    )
    .action(commandLine.run(fromFile))
}

async function fromFile(session: Session, options: FromFileOptions, tarball: string, name: string): Promise<number> {
  const { fqn, ...names } = session.newName(name, 'package')
  await assertNameAvailable(session, packagePath(fqn), fqn, 'delete it first, or choose another name.')
  const { sha256 } = await upload(session, await prepareFile(session, tarball), names.namespace)
  const draft: PackageDraft = {
    ...names,
    resource: sha256,
    state: 'ready',
    ...(options.provides ? { provides: options.provides } : {}),
    ...(options.dependsOn ? { dependencies: options.dependsOn } : {}),
    ...(options.environment ? { environment: { ...options.environment } } : {}),
  }
  const created = await session.api.post<Package>('/v1/packages', draft, { signal: session.signal })
  await session.output.result(created, () => `Created ${created.fqn}.`)
  return EXIT.success
}
