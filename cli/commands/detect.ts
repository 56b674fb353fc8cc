import path from 'node:path'
import type { Command } from 'commander'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { describeDetection } from '../display/describe-detection.js'
import { isJavaArchive } from '../pack/archive-kind.js'
import { locateSource } from '../pack/locate-source.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'
import { detectPipeline } from '../source/detect-pipeline.js'
import { readSourceTop } from '../source/source-top.js'

export function addDetectCommand(program: Command, commandLine: CommandLine): void {
  program
    .command('detect <directory>')
    .description(
      'Explain which pipeline `stage` would use for a source directory, and why each of the others is passed over. ' +
        'The first that fits is taken. Changes nothing; succeeds also when none fits.',
    )
    .addHelpText('after', examples('detect ./my-app', 'detect shop.war --namespace /acme', 'detect . --json'))
    .action(commandLine.run(detect))
}

async function detect(session: Session, _options: unknown, source: string): Promise<number> {
  const file = path.resolve(session.io.cwd, source)
  if ((await locateSource(file, source)) === 'file' && !isJavaArchive(file))
    throw new BadInput(
      'not-a-directory',
      `${quote(source)} is a file: give a directory, or a Java archive, because no pipeline is detected for other archives.`,
    )
  const detection = await detectPipeline(session, await readSourceTop(file))
  await session.output.result(detection, () => describeDetection(session.output, detection))
  return EXIT.success
}
