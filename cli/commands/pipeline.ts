import type { Command } from 'commander'
import { NotFound } from '../../base/errors.js'
import { formatFqn, parseFqn, SHARED_NAMESPACE } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import type { Pipeline, PipelineChange, PipelineDraft } from '../../daemon/documents/pipeline.js'
import { pipelinePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describePipeline } from '../display/describe-stager.js'
import { SHORTEN_END, SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { EXIT } from '../session/exit-codes.js'
import { collectTexts } from '../options/collect-texts.js'
import { integerParser } from '../options/parse-number.js'
import { UsageError } from '../options/usage-error.js'
import { lookUp, refInUse } from '../session/look-up.js'
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
    .option(
      '--sign <pattern>',
      'name at the top of a source for which the pipeline is meant, such as deno.json, *.tf or charts/; such pipelines are taken before all others (repeatable)',
      collectTexts,
    )
    .addHelpText(
      'after',
      examples('pipeline create nodejs nodejs node-tests', "pipeline create terraform terraform --sign '*.tf'"),
    )
    .action(
      commandLine.run(async (session, { sign }: CreateOptions, name: string, stagers: string[]) =>
        create(session, session.newName(name, 'stagpipe'), {
          stagers: await refs(session, stagers),
          ...(sign ? { signs: [...sign] } : {}),
        }),
      ),
    )
  group
    .command('update <name>')
    .description('Change the signs of a pipeline, by which it is detected.')
    .option('--sign-add <pattern>', 'sign to add, as for `pipeline create --sign` (repeatable)', collectTexts)
    .option('--sign-remove <pattern>', 'sign to remove (repeatable)', collectTexts)
    .addHelpText('after', examples("pipeline update terraform --sign-add '*.tofu' --sign-remove modules/"))
    .action(commandLine.run(changeSigns))
  group
    .command('clone <source> [name]')
    .description(
      'Create a pipeline with the stagers of another one. Without a name, it has the name of the other one, in the current namespace.',
    )
    .addHelpText('after', examples('pipeline clone /apcera::nodejs', 'pipeline clone nodejs nodejs-with-tests'))
    .action(commandLine.run(clone))
  for (const where of ['append', 'prepend'] as const)
    group
      .command(`${where} <name> <stagers...>`)
      .description(
        where === 'append' ? 'Add stagers to the end of a pipeline.' : 'Add stagers to the start of a pipeline.',
      )
      .addHelpText('after', examples(`pipeline ${where} nodejs virus-scan`))
      .action(
        commandLine.run(async (session, _options, name: string, stagers: string[]) =>
          update(session, name, { [where]: await refs(session, stagers) }),
        ),
      )
  group
    .command('remove <name> <stager>')
    .description('Take a stager out of a pipeline. The stager itself is not deleted.')
    .option(
      '--position <n>',
      'position of the stager, from 1; needed when the pipeline has it several times',
      integerParser(1, '2'),
    )
    .addHelpText(
      'after',
      examples('pipeline remove nodejs node-tests', 'pipeline remove nodejs virus-scan --position 3'),
    )
    .action(commandLine.run(remove))
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
      commandLine.run(async (session, options: ExportOptions, name: string) => {
        const file = isUuid(name) ? name : parseFqn(name, 'stagpipe', '/').name
        return await exportFile(session, { pipeline: await refInUse(session, name, 'stagpipe') }, file, options)
      }),
    )
  addList(group, commandLine)
  addShowCommand(group, commandLine, PIPELINE)
  addDeleteCommand(group, commandLine, PIPELINE)
}

interface CreateOptions {
  readonly sign?: readonly string[]
}

interface SignOptions {
  readonly signAdd?: readonly string[]
  readonly signRemove?: readonly string[]
}

async function changeSigns(session: Session, { signAdd, signRemove }: SignOptions, name: string): Promise<number> {
  if (!signAdd && !signRemove) throw new UsageError('There is nothing to change: give --sign-add or --sign-remove.')
  return await update(session, name, {
    ...(signAdd ? { signs_add: [...signAdd] } : {}),
    ...(signRemove ? { signs_remove: [...signRemove] } : {}),
  })
}

function refs(session: Session, stagers: readonly string[]): Promise<string[]> {
  return Promise.all(stagers.map((stager) => refInUse(session, stager, 'job')))
}

async function clone(session: Session, _options: unknown, source: string, name?: string): Promise<number> {
  if (name !== undefined) {
    const target = session.newName(name, 'stagpipe')
    return await create(session, target, { clone: await refInUse(session, source, 'stagpipe') })
  }
  const found = await lookUp<Pipeline>(session, source, 'stagpipe')
  if (found.namespace === session.namespace)
    throw new UsageError(`${found.fqn} is in the current namespace already: give the clone a name of its own.`)
  return await create(session, session.newName(found.name, 'stagpipe'), { clone: found.fqn })
}

interface RemoveOptions {
  readonly position?: number
}

async function remove(session: Session, { position }: RemoveOptions, name: string, stager: string): Promise<number> {
  const before = await session.api.get<Pipeline>(pipelinePath(session.ref(name, 'stagpipe')), {
    signal: session.signal,
  })
  const ref = stagerOf(session, before, stager)
  return await update(session, before.fqn, { remove: { stager: ref, ...(position === undefined ? {} : { position }) } })
}

/** A local name means the stager of that name that the pipeline has. */
function stagerOf(session: Session, pipeline: Pipeline, name: string): string {
  const ref = session.ref(name, 'job')
  if (isUuid(name) || name.includes('::')) return ref
  const candidates = [...new Set([ref, formatFqn('job', { namespace: SHARED_NAMESPACE, name })])]
  const found = candidates.find((fqn) => pipeline.stagers.includes(fqn))
  if (found === undefined)
    throw new NotFound(
      'stager-not-in-pipeline',
      `${pipeline.fqn} does not contain ${candidates.join(' or ')}: its stagers are ${pipeline.stagers.join(', ')}.`,
    )
  return found
}

async function create(
  session: Session,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  of: Pick<PipelineDraft, 'stagers' | 'clone' | 'signs'>,
): Promise<number> {
  const draft: PipelineDraft = { namespace, name, ...of }
  const created = await session.api.post<Pipeline>('/v1/stagingpipelines', draft, { signal: session.signal })
  await session.output.result(created, () => `Created ${created.fqn}: ${contentOf(created)}.`)
  return EXIT.success
}

async function update(session: Session, name: string, change: PipelineChange): Promise<number> {
  const path = pipelinePath(session.ref(name, 'stagpipe'))
  const updated = await session.api.patch<Pipeline>(path, change, { signal: session.signal })
  await session.output.result(updated, () => `Updated ${updated.fqn}: ${contentOf(updated)}.`)
  return EXIT.success
}

function contentOf({ stagers, signs }: Pipeline): string {
  return `${stagers.join(', ')}${signs.length === 0 ? '' : `, for sources with ${signs.join(', ')}`}`
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
            [
              { head: 'FQN', shorten: SHORTEN_NAME },
              { head: 'STAGERS', shorten: SHORTEN_END },
              { head: 'SIGNS', shorten: SHORTEN_END },
            ],
            pipelines.map(({ fqn, stagers, signs }) => [fqn, stagers.join(', '), signs.join(' ')]),
            `No pipelines in ${namespace}. Those that come with stagerd are in ${SHARED_NAMESPACE}; \`stagectl bootstrap\` makes them.`,
          ),
        )
        return EXIT.success
      }),
    )
}
