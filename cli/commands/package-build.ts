import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { Command } from 'commander'
import { messageOf } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import type { ImagePackageDraft } from '../../daemon/documents/build-script.js'
import type { Package, PackageDraft } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { packagePath } from '../api/paths.js'
import { fetchSources } from '../build/fetch-sources.js'
import { packBuild } from '../build/pack-build.js'
import { readBuildScript, type ScriptFile } from '../build/read-build-script.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { followStaging } from '../follow/follow-staging.js'
import { lookUp } from '../session/look-up.js'
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
      'Build a package from a build script: fetch its sources, run it in a container with its dependencies, and keep the ' +
        'files that it changes. An existing package of the same name is replaced only when the build succeeds.',
    )
    .option('--pipeline <pipeline>', 'pipeline that runs the build', '/apcera::compiler')
    .option('--insecure-sources', 'accept sources for which the script gives no digest')
    .addHelpText(
      'after',
      examples('package build redis.conf', 'package build redis.conf --namespace /acme/pkg --pipeline compiler'),
    )
    .action(commandLine.run(build))
}

/** Builds under a temporary name, so that an incomplete package never has the final name. */
async function build(session: Session, options: BuildOptions, file: string): Promise<number> {
  const { api, output, signal } = session
  const scriptFile = await readBuildScript(session, path.resolve(session.io.cwd, file))
  const { script } = scriptFile
  const namespace = options.namespace ?? script.namespace ?? session.namespace
  const target = { namespace, name: script.name, fqn: formatFqn('package', { namespace, name: script.name }) }
  if (script.image !== undefined) return await buildFromImage(session, scriptFile, target)
  const pipeline = await lookUp<Pipeline>(session, options.pipeline, 'stagpipe')
  const before = await findReplaceable(session, target.fqn)
  if (before) await assertNoProgram(session, before)

  const sources = await fetchSources(session, script, options.insecureSources === true)
  const { sha256 } = await upload(session, await packBuild(scriptFile, sources, session.io.env, signal))
  const temporary = await api.post<Package>('/v1/packages', draftOf(scriptFile, namespace, sha256), { signal })
  return await publishAfter(session, temporary, target, async () => {
    const submitted = await api.post<Staging>(
      '/v1/stagings',
      { package: temporary.uuid, pipeline: pipeline.uuid },
      { signal },
    )
    const ended = await followStaging(session, submitted.uuid)
    if (ended.state !== 'succeeded' && output.json) await output.document(ended)
    return ended.state === 'succeeded' ? EXIT.success : exitCodeOfStaging(ended)
  })
}

/** Makes a package of the filesystem of an image. No build runs. */
async function buildFromImage(session: Session, { script }: ScriptFile, target: Target): Promise<number> {
  const { api, output, signal } = session
  const { image = '', cleanup, depends, provides, environment, version, description } = script
  const before = await findReplaceable(session, target.fqn)
  if (before) await assertNoProgram(session, before)
  await output.note(`Importing the image ${image}`)
  const draft: ImagePackageDraft = {
    image,
    leave_out: cleanup,
    namespace: target.namespace,
    name: temporaryNameOf(target),
    dependencies: depends,
    provides,
    environment,
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
  }
  const temporary = await api.post<Package>('/v1/images/packages', draft, { signal })
  return await publishAfter(session, temporary, target, () => Promise.resolve(EXIT.success))
}

interface Target {
  readonly namespace: string
  readonly name: string
  readonly fqn: string
}

/** Gives the temporary package its final name if `work` succeeds, and deletes it otherwise. */
async function publishAfter(
  session: Session,
  temporary: Package,
  target: Target,
  work: () => Promise<number>,
): Promise<number> {
  let made: Package | undefined
  try {
    const code = await work()
    if (code !== EXIT.success) return code
    made = await publish(session, temporary, target)
  } finally {
    if (!made) await discard(session, temporary)
  }
  await session.output.result(made, () => `Built ${target.fqn}.`)
  return EXIT.success
}

function temporaryNameOf({ name }: { readonly name: string }): string {
  return `${name.slice(0, 100)}.build-${randomUUID().slice(0, 8)}`
}

function draftOf({ script }: ScriptFile, namespace: string, resource: string): PackageDraft {
  return {
    namespace,
    name: temporaryNameOf(script),
    resource,
    state: 'uploaded',
    // The stager sets provides and environment when the build is done: neither may take effect during the build.
    dependencies: [...script.depends, ...script.build_depends],
    ...(script.version === undefined ? {} : { version: script.version }),
    ...(script.description === undefined ? {} : { description: script.description }),
  }
}

/** Looks the final name up again: a package of that name may have been created or deleted during the build. */
async function publish(
  { api, signal }: Session,
  temporary: Package,
  { fqn, name }: { readonly fqn: string; readonly name: string },
): Promise<Package> {
  const existing = await api.find<Package>(packagePath(fqn), { signal })
  return existing
    ? await api.put<Package>(`${packagePath(existing.uuid)}/content`, { from: temporary.uuid }, { signal })
    : await api.patch<Package>(packagePath(temporary.uuid), { name }, { signal })
}

/** Does not pass the signal: the package must also be deleted after Ctrl-C. */
async function discard({ api, output }: Session, temporary: Package): Promise<void> {
  try {
    await api.delete(packagePath(temporary.uuid))
  } catch (error) {
    await output.warning(`The temporary package ${temporary.fqn} could not be deleted: ${messageOf(error)}`)
  }
}
