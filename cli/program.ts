import { Command } from 'commander'
import { addBootstrapCommand } from './commands/bootstrap.js'
import { addDetectCommand } from './commands/detect.js'
import { addNamespaceCommand } from './commands/namespace.js'
import { addNodeCommands } from './commands/node.js'
import { addPackageCommands } from './commands/package.js'
import { addPipelineCommands } from './commands/pipeline.js'
import { addPolicyCommands } from './commands/policy.js'
import { addRunCommand } from './commands/run.js'
import { addStageCommand } from './commands/stage.js'
import { addStagerCommands } from './commands/stager.js'
import { addStagingCommands } from './commands/staging.js'
import { examples, type CommandLine } from './session/command-line.js'
import { describeExitCodes } from './session/exit-codes.js'
import { programVersion } from './program-version.js'

/** Defines all commands. Parsing a command line runs its command; usage errors and help throw `CommanderError`. */
export function buildProgram(commandLine: CommandLine): Command {
  const { io } = commandLine
  const program = new Command('stagectl')
    .description('Client of stagerd, which turns source code into packages that are ready to run.')
    .version(programVersion())
    // Set before the commands are added, because they inherit these settings.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // The caller prints the error that is thrown.
      outputError: () => undefined,
    })
    .configureHelp({ showGlobalOptions: true })
    .option(
      '--socket <path>',
      'control socket of stagerd (environment: STAGERD_SOCKET; default: /run/stagerd/stagerd.sock)',
    )
    .option(
      '--namespace <ns>',
      'namespace of local names; what is shown or used is also looked for in /apcera (environment: STAGERD_NAMESPACE; default: see `stagectl namespace`)',
    )
    .option('--json', 'print one JSON document to standard output, and nothing else')
    .option('--batch', 'never ask for confirmation')
    .addHelpText(
      'after',
      examples('stage ./my-app', 'run my-app --publish 8080:3000', 'package list', 'node doctor', 'help stage'),
    )
    .addHelpText('after', describeExitCodes())
  addBootstrapCommand(program, commandLine)
  addStageCommand(program, commandLine)
  addDetectCommand(program, commandLine)
  addStagingCommands(program, commandLine)
  addPackageCommands(program, commandLine)
  addStagerCommands(program, commandLine)
  addPipelineCommands(program, commandLine)
  addPolicyCommands(program, commandLine)
  addRunCommand(program, commandLine)
  addNodeCommands(program, commandLine)
  addNamespaceCommand(program, commandLine)
  return program
}
