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
import { addDeleteCommand, addShowCommand, type NamedEntity } from './named-entity.js'

const PIPELINE: NamedEntity<Pipeline> = {
  noun: 'pipeline',
  kind: 'stagpipe',
  path: pipelinePath,
  describe: describePipeline,
}

export function addPipelineCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('pipeline')
    .description('Manage pipelines: ordered lists of stagers.')
    .addHelpText(
      'after',
      examples('pipeline create nodejs nodejs', 'pipeline append nodejs node-tests', 'pipeline list'),
    )
  group
    .command('create <name> <stagers...>')
    .description('Create a pipeline from stagers, which run in the given order.')
    .addHelpText('after', examples('pipeline create nodejs nodejs node-tests'))
    .action(
      commandLine.run((session, _options, name: string, stagers: string[]) =>
        create(session, name, { stagers: refs(session, stagers) }),
      ),
    )
  group
    .command('clone <source> <name>')
    .description('Create a pipeline with the stagers of another one.')
    .addHelpText('after', examples('pipeline clone /apcera::nodejs nodejs'))
    .action(
      commandLine.run((session, _options, source: string, name: string) =>
        create(session, name, { clone: session.ref(source, 'stagpipe') }),
      ),
    )
  for (const where of ['append', 'prepend'] as const)
    group
      .command(`${where} <name> <stagers...>`)
      .description(
        where === 'append' ? 'Add stagers to the end of a pipeline.' : 'Add stagers to the start of a pipeline.',
      )
      .addHelpText('after', examples(`pipeline ${where} nodejs virus-scan`))
      .action(
        commandLine.run((session, _options, name: string, stagers: string[]) =>
          update(session, name, { [where]: refs(session, stagers) }),
        ),
      )
  group
    .command('export <name>')
    .description('Export a pipeline with its stagers and their packages to one file, which another stagerd can import.')
    .option('-f, --file <file>', 'file to write; - is standard output (default: NAME.cntmp)')
    .option('--with-dependencies', 'include the dependencies of the stagers, down to the operating system')
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
  const created = await session.api.post<Pipeline>('/v1/stagingpipelines', draft, { signal: session.signal })
  await session.output.result(created, () => `Created ${created.fqn}: ${created.stagers.join(', ')}.`)
  return EXIT.success
}

async function update(session: Session, name: string, change: PipelineChange): Promise<number> {
  const path = pipelinePath(session.ref(name, 'stagpipe'))
  const updated = await session.api.patch<Pipeline>(path, change, { signal: session.signal })
  await session.output.result(updated, () => `Updated ${updated.fqn}: ${updated.stagers.join(', ')}.`)
  return EXIT.success
}

function addList(group: Command, commandLine: CommandLine): void {
  group
    .command('list')
    .description('List the pipelines of the current namespace and its child namespaces.')
    .addHelpText('after', examples('pipeline list', 'pipeline list --namespace /apcera'))
    .action(
      commandLine.run(async ({ api, output, namespace, signal }) => {
        const pipelines = await api.get<Pipeline[]>('/v1/stagingpipelines', { query: { namespace }, signal })
        await output.result(pipelines, () =>
          table(
            output,
            ['FQN', 'STAGERS'],
            pipelines.map(({ fqn, stagers }) => [fqn, stagers.join(', ')]),
            `No pipelines in ${namespace}.`,
          ),
        )
        return EXIT.success
      }),
    )
}
