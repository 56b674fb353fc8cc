import type { Command } from 'commander'
import { examples, type CommandLine } from '../session/command-line.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectEnvironment } from '../options/parse-environment.js'
import { addKeepOption } from '../options/parse-keep.js'
import { addNotifyOptions, assertNotify } from '../options/notify-options.js'
import { addSecretOption } from '../options/secret-options.js'
import { parseRuntime } from '../options/parse-runtime.js'
import { UsageError } from '../options/usage-error.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { stageImage } from './stage-image.js'
import { stageSource, type StageOptions } from './stage-source.js'

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
