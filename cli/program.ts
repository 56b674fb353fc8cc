import { Command } from 'commander'
import { installedVersion } from '../base/installation.js'
import { examples, type CommandLine } from './session/command-line.js'
import { describeExitCodes } from './session/exit-codes.js'

type Add = (program: Command, commandLine: CommandLine) => void

/**
 * What adds each command, in the order of the help. Loading the modules of all commands takes longer than most commands,
 * so only that of the command that is run is loaded.
 */
const COMMANDS: ReadonlyMap<string, () => Promise<Add>> = new Map(
  Object.entries({
    bootstrap: async () => (await import('./commands/bootstrap.js')).addBootstrapCommand,
    stage: async () => (await import('./commands/stage.js')).addStageCommand,
    detect: async () => (await import('./commands/detect.js')).addDetectCommand,
    staging: async () => (await import('./commands/staging.js')).addStagingCommands,
    package: async () => (await import('./commands/package.js')).addPackageCommands,
    stager: async () => (await import('./commands/stager.js')).addStagerCommands,
    pipeline: async () => (await import('./commands/pipeline.js')).addPipelineCommands,
    buildpack: async () => (await import('./commands/buildpack.js')).addBuildpackCommands,
    policy: async () => (await import('./commands/policy.js')).addPolicyCommands,
    run: async () => (await import('./commands/run.js')).addRunCommand,
    droplet: async () => (await import('./commands/droplet.js')).addDropletCommands,
    node: async () => (await import('./commands/node.js')).addNodeCommands,
    context: async () => (await import('./commands/context.js')).addContextCommands,
    token: async () => (await import('./commands/token.js')).addTokenCommands,
    webhook: async () => (await import('./commands/webhook.js')).addWebhookCommands,
    namespace: async () => (await import('./commands/namespace.js')).addNamespaceCommand,
    completion: async () => (await import('./commands/completion.js')).addCompletionCommand,
  }),
)

/**
 * Defines the command with which `argv` begins; all commands if it begins with something else, such as an option or a
 * name that is none. Parsing a command line runs its command; usage errors and help throw `CommanderError`.
 */
export async function buildProgram(commandLine: CommandLine, argv: readonly string[]): Promise<Command> {
  const { io } = commandLine
  const program = new Command('stagectl')
    .description('Client of stagerd, which turns source code into packages that are ready to run.')
    // Who asks for it waits for a file to be read; nobody else does.
    .version(argv.some((one) => one === '--version' || one === '-V') ? installedVersion() : '')
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
      '--address <url>',
      'TCP address of stagerd, such as https://stagerd.example.org:7300; its token is STAGERD_TOKEN. Of the nodes of a fleet, several with commas between them: the first one that answers is used',
    )
    .option('--ca <file>', 'certificate of the authority that is trusted at this address, in PEM')
    .option('--context <name>', 'stagerd of this context (environment: STAGERD_CONTEXT; see `stagectl context`)')
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
  const first = COMMANDS.get(argv[0] ?? '')
  const chosen = first ? [first] : [...COMMANDS.values()]
  for (const add of await Promise.all(chosen.map((load) => load()))) add(program, commandLine)
  return program
}
