import type { Command } from 'commander'
import { BadInput, NotFound } from '../../base/errors.js'
import { assertLocalName, quote } from '../../base/fqn.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Stager } from '../../daemon/documents/stager.js'
import { ApiProblem } from '../api/api-problem.js'
import { packagePath, stagerPath } from '../api/paths.js'
import { withBuildpack } from '../build/buildpack-source.js'
import { SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { integerParser } from '../options/parse-number.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { lookUp } from '../session/look-up.js'
import type { Session } from '../session/session.js'
import { capabilityOf, packageOfBuildpack, putBuildpack } from '../transfer/put-buildpack.js'

interface StagerOption {
  readonly stager: string
}

interface AddOptions extends StagerOption {
  readonly position?: number
  readonly dependsOn?: readonly Capability[]
}

/** The variable of the stager that has their names, in the order of priority. */
const LIST = 'BUILDPACKS'

export function addBuildpackCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('buildpack')
    .description('Manage buildpacks, which the pipeline buildpack tries in the order of their positions.')
    .addHelpText(
      'after',
      examples('buildpack add ruby ./ruby-buildpack', 'buildpack list', 'stage ./my-app --pipeline buildpack'),
    )
  const withStager = (command: Command) =>
    command.option('--stager <stager>', 'the stager that tries them, such as a clone of it', 'buildpack')
  withStager(
    group
      .command('add <name> <source>')
      .description(
        'Add a buildpack, or give it new files: a directory, a tarball, the URL of one, or a repository of Git, with #BRANCH ' +
          'after it. It becomes the package buildpack-NAME.',
      )
      .option(
        '--position <n>',
        'where it is tried, from 1 (default: last; one that is there stays)',
        integerParser(1, '1'),
      )
      .option(
        '--depends-on <type.name,...>',
        'what its programs need, such as runtime.ruby (repeatable)',
        collectCapabilities,
      )
      .addHelpText(
        'after',
        examples(
          'buildpack add ruby ./ruby-buildpack --position 1',
          'buildpack add go https://buildpacks.example.org/go.tgz --depends-on runtime.ruby',
          'buildpack add php https://git.example.org/php-buildpack.git#v4',
        ),
      ),
  ).action(commandLine.run(add))
  withStager(
    group
      .command('list')
      .description('List the buildpacks in the order in which they are tried.')
      .addHelpText('after', examples('buildpack list', 'buildpack list --stager /team::buildpack')),
  ).action(commandLine.run(list))
  withStager(
    group
      .command('remove <name>')
      .description('Do not try a buildpack any more, and delete its package.')
      .addHelpText('after', examples('buildpack remove ruby')),
  ).action(commandLine.run(remove))
}

async function add(session: Session, options: AddOptions, name: string, source: string): Promise<number> {
  assertLocalName(name)
  const before = await lookUp<Stager>(session, options.stager, 'job')
  const put = await withBuildpack(session, source, (directory) =>
    putBuildpack(session, name, directory, options.dependsOn),
  )
  let position = 0
  await changeNames(session, before, (names) => {
    const others = names.filter((one) => one !== name)
    position = Math.min(options.position ?? (names.indexOf(name) + 1 || names.length + 1), others.length + 1)
    return others.toSpliced(position - 1, 0, name)
  })
  await session.output.result({ name, position, package: put.fqn }, () => `Added ${put.fqn} at position ${position}.`)
  return EXIT.success
}

async function list(session: Session, options: StagerOption): Promise<number> {
  const { api, output, signal } = session
  const { environment, fqn } = await lookUp<Stager>(session, options.stager, 'job')
  const packages = await api.get<Package[]>('/v1/packages', { signal })
  const rows = namesOf(environment).map((name, index) => {
    const capability = capabilityOf(name)
    const found = packages.find(({ provides }) =>
      provides.some((one) => one.type === capability.type && one.name === capability.name),
    )
    return { position: index + 1, name, package: found?.fqn ?? null }
  })
  await output.result(rows, () =>
    table(
      output,
      [{ head: 'POSITION' }, { head: 'NAME' }, { head: 'PACKAGE', shorten: SHORTEN_NAME }],
      rows.map((one) => [String(one.position), one.name, one.package ?? 'missing']),
      `${fqn} tries no buildpacks: add one with \`stagectl buildpack add\`.`,
    ),
  )
  return EXIT.success
}

async function remove(session: Session, options: StagerOption, name: string): Promise<number> {
  const stager = await lookUp<Stager>(session, options.stager, 'job')
  // First the list: a name without a package would end each staging.
  await changeNames(session, stager, (names) => {
    if (!names.includes(name))
      throw new NotFound(
        'buildpack-not-found',
        `${stager.fqn} tries no buildpack ${quote(name)}: see \`stagectl buildpack list\`.`,
      )
    return names.filter((one) => one !== name)
  })
  const fqn = session.newName(packageOfBuildpack(name), 'package').fqn
  const kept = await deletePackage(session, fqn)
  await session.output.result({ name }, () => `Removed the buildpack ${name}${kept === undefined ? '' : `; ${kept}`}.`)
  return EXIT.success
}

/** Why it is still there, if it is. */
async function deletePackage({ api, signal }: Session, fqn: string): Promise<string | undefined> {
  try {
    await api.delete(packagePath(fqn), { signal })
    return undefined
  } catch (error) {
    if (!(error instanceof ApiProblem) || (error.status !== 404 && error.status !== 409)) throw error
    return error.status === 404 ? `its package is not ${fqn}, and stays` : `its package stays, because it is in use`
  }
}

function namesOf(environment: Stager['environment']): string[] {
  return (environment[LIST] ?? '').split(/\s+/).filter((name) => name !== '')
}

/** How often the list is read again when others change it at the same time. Of these, one succeeds each time. */
const TRIES = 50

/** Changes the list as it is in this moment: what others add or remove meanwhile is not lost. */
async function changeNames(
  { api, signal }: Session,
  { uuid }: Stager,
  change: (names: readonly string[]) => readonly string[],
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { environment } = await api.get<Stager>(stagerPath(uuid), { signal })
    const text = change(namesOf(environment)).join(' ')
    if (text.length > 32 * 1024)
      throw new BadInput('too-many-buildpacks', 'There are too many buildpacks: remove some.')
    const document = {
      ...(text === '' ? { environment_unset: [LIST] } : { environment_set: { [LIST]: text } }),
      environment_expected: { [LIST]: environment[LIST] ?? null },
    }
    try {
      await api.patch<Stager>(stagerPath(uuid), document, { signal })
      return
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.code !== 'environment-changed' || tries === TRIES) throw error
    }
  }
}
