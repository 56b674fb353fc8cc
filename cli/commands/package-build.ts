import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { Command } from 'commander'
import { messageOf } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import type { ImagePackageDraft } from '../../daemon/documents/build-script.js'
import type { Package, PackageDraft } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { packagePath, pipelinePath } from '../api/paths.js'
import { fetchSources } from '../build/fetch-sources.js'
import { packBuild } from '../build/pack-build.js'
import { readBuildScript, type ScriptFile } from '../build/read-build-script.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
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
  const target = { namespace, name: script.name, fqn: formatFqn('package', { namespace, name: script.name }) }
  if (script.image !== undefined) return await takeImage(session, scriptFile, target)
  const pipeline = await api.get<Pipeline>(pipelinePath(session.ref(options.pipeline, 'stagpipe')), { signal })
  const before = await findReplaceable(session, target.fqn)
  if (before) await assertNoProgram(session, before)

  const sources = await fetchSources(session, script, options.insecureSources === true)
  const { sha256 } = await upload(session, await packBuild(scriptFile, sources, session.io.env, signal))
  const scratch = await api.post<Package>('/v1/packages', draftOf(scriptFile, namespace, sha256), { signal })
  return await settled(session, scratch, target, async () => {
    const submitted = await api.post<Staging>(
      '/v1/stagings',
      { package: scratch.uuid, pipeline: pipeline.uuid },
      { signal },
    )
    const ended = await followStaging(session, submitted.uuid)
    if (ended.state !== 'succeeded' && output.json) await output.document(ended)
    return ended.state === 'succeeded' ? EXIT.success : exitCodeOfStaging(ended)
  })
}

/** A package whose filesystem is that of an image: nothing runs. */
async function takeImage(session: Session, { script }: ScriptFile, target: Target): Promise<number> {
  const { api, output, signal } = session
  const { image = '', cleanup, depends, provides, environment, version, description } = script
  const before = await findReplaceable(session, target.fqn)
  if (before) await assertNoProgram(session, before)
  await output.note(`Taking the image ${image}`)
  const draft: ImagePackageDraft = {
    image,
    leave_out: cleanup,
    namespace: target.namespace,
    name: scratchNameOf(target),
    dependencies: depends,
    provides,
    environment,
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
  }
  const scratch = await api.post<Package>('/v1/images/packages', draft, { signal })
  return await settled(session, scratch, target, () => Promise.resolve(EXIT.success))
}

interface Target {
  readonly namespace: string
  readonly name: string
  readonly fqn: string
}

/** Gives the package under work its right name once `work` has succeeded; otherwise it is discarded. */
async function settled(
  session: Session,
  scratch: Package,
  target: Target,
  work: () => Promise<number>,
): Promise<number> {
  let made: Package | undefined
  try {
    const code = await work()
    if (code !== EXIT.success) return code
    made = await settle(session, scratch, target)
  } finally {
    if (!made) await discard(session, scratch)
  }
  await session.output.result(made, () => `Built ${target.fqn}.`)
  return EXIT.success
}

function scratchNameOf({ name }: { readonly name: string }): string {
  return `${name.slice(0, 100)}.build-${randomUUID().slice(0, 8)}`
}

function draftOf({ script }: ScriptFile, namespace: string, resource: string): PackageDraft {
  return {
    namespace,
    name: scratchNameOf(script),
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
