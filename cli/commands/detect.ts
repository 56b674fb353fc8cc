import type { Command } from 'commander'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { describeDetection } from '../display/describe-detection.js'
import { isJavaArchive } from '../pack/archive-kind.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { pipelineOfManifest } from '../source/choose-pipeline.js'
import { detectPipeline } from '../source/detect-pipeline.js'
import { locateApplication, withinManifest } from '../source/locate-application.js'
import { MANIFEST_FILE } from '../source/read-manifest.js'
import { readSourceTop } from '../source/source-top.js'

export function addDetectCommand(program: Command, commandLine: CommandLine): void {
  program
    .command('detect <directory>')
    .description(
      'Explain which pipeline `stage` would use for a source directory, and why each of the others is passed over. ' +
        'The first that fits is taken, unless the manifest, continuum.conf, names one. Changes nothing; succeeds also when none fits, ' +
        'but not when the manifest has a mistake.',
    )
    .addHelpText('after', examples('detect ./my-app', 'detect shop.war --namespace /acme', 'detect . --json'))
    .action(commandLine.run(detect))
}

async function detect(opened: Session, options: GlobalOptions, source: string): Promise<number> {
  const { file, isDirectory, manifest, from } = await locateApplication(opened, source, undefined)
  if (!isDirectory && !isJavaArchive(file))
    throw new BadInput(
      'not-a-directory',
      `${quote(source)} is a file: give a directory, or a Java archive, because no pipeline is detected for other archives.`,
    )
  const session = withinManifest(opened, options, manifest)
  const detection = await detectPipeline(session, await readSourceTop(file))
  await session.output.result(detection, () => describeDetection(session.output, detection))
  const { staging_pipeline: named } = manifest
  if (named !== undefined)
    await session.output.note(`${MANIFEST_FILE} names the pipeline ${named}, and \`stage\` uses that one.`)
  if (from) await pipelineOfManifest(session, from)
  return EXIT.success
}
