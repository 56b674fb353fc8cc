import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { Command } from 'commander'
import { messageOf } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import type { Package, PackageDraft, Pipeline, Staging } from '../../daemon/api/documents.js'
import { packagePath, pipelinePath } from '../api/paths.js'
import { fetchSources } from '../build/fetch-sources.js'
import { packBuild } from '../build/pack-build.js'
import { readBuildScript, type ScriptFile } from '../build/read-build-script.js'
import { examples, type CommandLine } from '../command-line.js'
import { EXIT, exitCodeOfStaging } from '../exit-codes.js'
import { followStaging } from '../follow/follow-staging.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { assertNoProgram, findReplaceable } from '../transfer/put-package.js'
import { upload } from '../transfer/upload.js'

interface BuildOptions extends GlobalOptions {
  readonly pipeline: string
  readonly insecureSources?: boolean
}

export function addPackageBuildCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('build <script>')
    .description(
      'Build a package from a script: fetch its sources, run it in a container on what it depends on, and keep what it ' +
        'has changed. A package of that name is replaced when the build has succeeded, and not before.',
    )
    .option('--pipeline <pipeline>', 'which one builds', '/apcera::compiler')
    .option('--insecure-sources', 'take sources that the script gives no digest of')
    .addHelpText(
      'after',
      examples('package build redis.conf', 'package build redis.conf --namespace /acme/pkg --pipeline compiler'),
    )
    .action(commandLine.run(build))
}

/** The package under work has a name of its own, so that nobody finds half of it under the right one. */
async function build(session: Session, options: BuildOptions, file: string): Promise<number> {
  const { api, output, signal } = session
  const scriptFile = await readBuildScript(session, path.resolve(session.io.cwd, file))
  const { script } = scriptFile
  const namespace = options.namespace ?? script.namespace ?? session.namespace
  const target = { namespace, name: script.name, fqn: formatFqn({ kind: 'package', namespace, name: script.name }) }
  const pipeline = await api.get<Pipeline>(pipelinePath(session.ref(options.pipeline, 'stagpipe')), { signal })
  const before = await findReplaceable(session, target.fqn)
  if (before) await assertNoProgram(session, before)

  const sources = await fetchSources(session, script, options.insecureSources === true)
  const { sha256 } = await upload(session, await packBuild(scriptFile, sources, session.io.env, signal))
  const scratch = await api.post<Package>('/v1/packages', draftOf(scriptFile, namespace, sha256), { signal })
  let made: Package | undefined
  try {
    const submitted = await api.post<Staging>(
      '/v1/stagings',
      { package: scratch.uuid, pipeline: pipeline.uuid },
      { signal },
    )
    const ended = await followStaging(session, submitted.uuid)
    if (ended.state !== 'succeeded') {
      if (output.json) await output.document(ended)
      return exitCodeOfStaging(ended)
    }
    made = await settle(session, scratch, target)
  } finally {
    if (!made) await discard(session, scratch)
  }
  await output.result(made, () => `Built ${target.fqn}.`)
  return EXIT.success
}

function draftOf({ script }: ScriptFile, namespace: string, resource: string): PackageDraft {
  return {
    namespace,
    name: `${script.name.slice(0, 100)}.build-${randomUUID().slice(0, 8)}`,
    resource,
    state: 'uploaded',
    // What it provides, and its environment, are set by the stager in the end: neither is to be there while it is built.
    dependencies: [...script.depends, ...script.build_depends],
    ...(script.version === undefined ? {} : { version: script.version }),
    ...(script.description === undefined ? {} : { description: script.description }),
  }
}

/** Asked once more, because a build takes its time: somebody may have made the package meanwhile, or deleted it. */
async function settle(
  { api, signal }: Session,
  scratch: Package,
  { fqn, name }: { readonly fqn: string; readonly name: string },
): Promise<Package> {
  const there = await api.find<Package>(packagePath(fqn), { signal })
  return there
    ? await api.put<Package>(`${packagePath(there.uuid)}/content`, { from: scratch.uuid }, { signal })
    : await api.patch<Package>(packagePath(scratch.uuid), { name }, { signal })
}

/** Without the signal: who has interrupted wants it gone, too. */
async function discard({ api, output }: Session, scratch: Package): Promise<void> {
  try {
    await api.delete(packagePath(scratch.uuid))
  } catch (error) {
    await output.warning(`${scratch.fqn}, which was being built, is still there: ${messageOf(error)}`)
  }
}
