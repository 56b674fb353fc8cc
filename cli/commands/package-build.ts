import path from 'node:path'
import type { Command } from 'commander'
import { formatFqn } from '../../base/fqn.js'
import type { ImagePackageDraft } from '../../daemon/documents/image.js'
import type { Package, PackageDraft } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import { fetchSources } from '../build/fetch-sources.js'
import { packBuild } from '../build/pack-build.js'
import { readBuildScript, type ScriptFile } from '../build/read-build-script.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { stageAndFollow } from '../follow/follow-staging.js'
import { lookUp } from '../session/look-up.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { makeImagePackage } from '../transfer/make-image-package.js'
import { assertNoProgram, findReplaceable, listStagers } from '../transfer/put-package.js'
import { publishAfter, temporaryNameOf, type Target } from '../transfer/publish-after.js'
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
  if (before) assertNoProgram(before, await listStagers(session))

  const sources = await fetchSources(session, script, options.insecureSources === true)
  const { sha256 } = await upload(session, await packBuild(scriptFile, sources, session.io.env, signal), namespace)
  const temporary = await api.post<Package>('/v1/packages', draftOf(scriptFile, namespace, sha256), { signal })
  return await buildAs(session, temporary, target, async () => {
    const draft = { package: temporary.uuid, pipeline: pipeline.uuid }
    const ended = await stageAndFollow(session, { path: '/v1/stagings', document: draft })
    if (ended.state !== 'succeeded' && output.json) await output.document(ended)
    return ended.state === 'succeeded' ? EXIT.success : exitCodeOfStaging(ended)
  })
}

/** Makes a package of the filesystem of an image. No build runs. */
async function buildFromImage(session: Session, { script }: ScriptFile, target: Target): Promise<number> {
  const { image = '', cleanup, depends, provides, environment, version, description } = script
  const before = await findReplaceable(session, target.fqn)
  if (before) assertNoProgram(before, await listStagers(session))
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
  const { package: temporary } = await makeImagePackage(session, draft)
  return await buildAs(session, temporary, target, () => Promise.resolve(EXIT.success))
}

async function buildAs(session: Session, temporary: Package, target: Target, work: () => Promise<number>) {
  const { code, made } = await publishAfter(session, temporary, target, work)
  if (made) await session.output.result(made, () => `Built ${target.fqn}.`)
  return code
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
