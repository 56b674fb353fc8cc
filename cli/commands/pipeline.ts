import type { Command } from 'commander'
import { parseFqn } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import type { Pipeline, PipelineChange, PipelineDraft } from '../../daemon/documents/pipeline.js'
import { pipelinePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describePipeline } from '../display/describe-stager.js'
import { table } from '../display/table.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'
import { exportFile, type ExportOptions } from '../transfer/export-file.js'
import { addDeleteCommand, addShowCommand, type NamedThing } from './named-thing.js'

const PIPELINE: NamedThing<Pipeline> = {
  word: 'pipeline',
  kind: 'stagpipe',
  path: pipelinePath,
  describe: describePipeline,
}

export function addPipelineCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('pipeline')
    .description('Pipelines: stagers, in the order in which they work.')
    .addHelpText(
      'after',
      examples('pipeline create nodejs nodejs', 'pipeline append nodejs node-tests', 'pipeline list'),
    )
  group
    .command('create <name> <stagers...>')
    .description('Make a pipeline of stagers.')
    .addHelpText('after', examples('pipeline create nodejs nodejs node-tests'))
    .action(
      commandLine.run((session, _options, name: string, stagers: string[]) =>
        create(session, name, { stagers: refs(session, stagers) }),
      ),
    )
  group
    .command('clone <source> <name>')
    .description('Make a pipeline of the same stagers as another.')
    .addHelpText('after', examples('pipeline clone /apcera::nodejs nodejs'))
    .action(
      commandLine.run((session, _options, source: string, name: string) =>
        create(session, name, { clone: session.ref(source, 'stagpipe') }),
      ),
    )
  for (const where of ['append', 'prepend'] as const)
    group
      .command(`${where} <name> <stagers...>`)
      .description(where === 'append' ? 'Add stagers at the end.' : 'Add stagers at the front.')
      .addHelpText('after', examples(`pipeline ${where} nodejs virus-scan`))
      .action(
        commandLine.run((session, _options, name: string, stagers: string[]) =>
          change(session, name, { [where]: refs(session, stagers) }),
        ),
      )
  group
    .command('export <name>')
    .description('A pipeline as one file, with its stagers and their packages, for another stagerd to import.')
    .option('-f, --file <file>', 'where to; - is standard output (default: its name, with .cntmp)')
    .option('--with-dependencies', 'with everything that the stagers need, from the operating system upward')
    .addHelpText(
      'after',
      examples('pipeline export nodejs', 'pipeline export nodejs --with-dependencies -f node.cntmp'),
    )
    .action(
      commandLine.run((session, options: ExportOptions, name: string) => {
        const file = isUuid(name) ? name : parseFqn(name, 'stagpipe', '/').name
        return exportFile(session, { pipeline: session.ref(name, 'stagpipe') }, file, options)
      }),
    )
  addList(group, commandLine)
  addShowCommand(group, commandLine, PIPELINE)
  addDeleteCommand(group, commandLine, PIPELINE)
}

function refs(session: Session, stagers: readonly string[]): string[] {
  return stagers.map((stager) => session.ref(stager, 'job'))
}

async function create(session: Session, name: string, of: Pick<PipelineDraft, 'stagers' | 'clone'>): Promise<number> {
  const { namespace, name: local } = session.newName(name, 'stagpipe')
  const draft: PipelineDraft = { namespace, name: local, ...of }
  const made = await session.api.post<Pipeline>('/v1/stagingpipelines', draft, { signal: session.signal })
  await session.output.result(made, () => `Made ${made.fqn}: ${made.stagers.join(', ')}.`)
  return EXIT.success
}

async function change(session: Session, name: string, by: PipelineChange): Promise<number> {
  const path = pipelinePath(session.ref(name, 'stagpipe'))
  const changed = await session.api.patch<Pipeline>(path, by, { signal: session.signal })
  await session.output.result(changed, () => `Changed ${changed.fqn}: ${changed.stagers.join(', ')}.`)
  return EXIT.success
}

function addList(group: Command, commandLine: CommandLine): void {
  group
    .command('list')
    .description('Pipelines of the current namespace and all below it.')
    .addHelpText('after', examples('pipeline list', 'pipeline list --namespace /apcera'))
    .action(
      commandLine.run(async ({ api, output, namespace, signal }) => {
        const pipelines = await api.get<Pipeline[]>('/v1/stagingpipelines', { query: { namespace }, signal })
        await output.result(pipelines, () =>
          table(
            output,
            ['FQN', 'STAGERS'],
            pipelines.map(({ fqn, stagers }) => [fqn, stagers.join(', ')]),
            `There are no pipelines in ${namespace}.`,
          ),
        )
        return EXIT.success
      }),
    )
}
