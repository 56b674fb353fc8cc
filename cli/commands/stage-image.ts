import path from 'node:path'
import { quote } from '../../base/fqn.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Staging } from '../../daemon/documents/staging.js'
import type { ImagePackageDraft, MadeEvent } from '../../daemon/documents/image.js'
import { exitCodeOfStaging } from '../session/exit-codes.js'
import { stageAndFollow } from '../follow/follow-staging.js'
import type { Environment } from '../options/parse-environment.js'
import { keepFailedOf, type KeepOptions } from '../options/parse-keep.js'
import type { NotifyOptions } from '../options/notify-options.js'
import type { SecretOptions } from '../options/secret-options.js'
import { UsageError } from '../options/usage-error.js'
import { lookUp } from '../session/look-up.js'
import { readNotify } from '../session/read-notify.js'
import { readSecrets } from '../session/read-secrets.js'
import type { Session } from '../session/session.js'
import { nameOfImage } from '../source/name-of-source.js'
import { download } from '../transfer/download.js'
import { makeImagePackage } from '../transfer/make-image-package.js'
import { assertTarget } from '../transfer/part-file.js'
import { publishAfter, temporaryNameOf } from '../transfer/publish-after.js'
import { assertNoProgram, findReplaceable, listStagers } from '../transfer/put-package.js'
import { timed } from '../display/timed.js'

export interface StageImageOptions extends KeepOptions, SecretOptions, NotifyOptions {
  readonly name?: string
  readonly pipeline?: string
  readonly dependsOn?: readonly Capability[]
  readonly runtime?: Capability
  readonly env?: Environment
  readonly output?: string
  readonly detach?: boolean
}

/** The pipeline for images. */
const DOCKER = 'docker'

/**
 * Stages a Docker image: the daemon makes a package of it under a temporary name, which gets its final name when its
 * staging has succeeded. So a package that has this name is replaced in one step, or stays as it is.
 */
export async function stageImage(session: Session, options: StageImageOptions, image: string): Promise<number> {
  const { output } = session
  if (options.detach === true)
    throw new UsageError(
      '--image and --detach exclude each other: the package gets its name when the staging has ended.',
    )
  if (options.runtime !== undefined)
    throw new UsageError('--image and --runtime exclude each other: an image has its own runtime.')
  const target = session.newName(options.name ?? nameOfImage(image), 'package')
  const pipeline = await lookUp<Pipeline>(session, options.pipeline ?? DOCKER, 'stagpipe')
  const before = await findReplaceable(session, target.fqn)
  if (before) assertNoProgram(before, await listStagers(session))
  if (options.output !== undefined) await assertTarget(path.resolve(session.io.cwd, options.output))
  const secrets = await readSecrets(session, options.secret)
  const notify = await readNotify(session, options)

  const draft: ImagePackageDraft = {
    image,
    namespace: target.namespace,
    name: temporaryNameOf(target),
    state: 'uploaded',
    ...(options.dependsOn ? { dependencies: [...options.dependsOn] } : {}),
    ...(options.env ? { environment: { ...options.env } } : {}),
  }
  const imported = await makeImagePackage(session, draft)
  await output.note(`The image is ${imported.image}.`)
  const outcome: { ended?: Staging } = {}
  const { code, made } = await publishAfter(session, imported.package, target, async () => {
    const wishes = { ...keepFailedOf(options), ...secrets, ...notify }
    const request = { package: imported.package.uuid, pipeline: pipeline.uuid, ...wishes }
    outcome.ended = await stageAndFollow(session, { path: '/v1/stagings', document: request })
    return exitCodeOfStaging(outcome.ended)
  })
  if (made) {
    await output.success(`The package is ${made.fqn}.`)
    const name = target.namespace === session.namespace ? target.name : made.fqn
    for (const advice of adviceOn(imported, name)) await output.note(advice)
    if (options.output !== undefined) {
      const { output: file } = options
      await timed(output, 'Downloaded', () => download(session, made, file))
      await output.note(`The result is in ${file}.`)
    }
  }
  if (output.json) await output.document({ ...outcome.ended, ...(made ? { package: made.fqn } : {}) })
  return code
}

/** What Docker would take from the image, and a run does not. */
function adviceOn({ user, exposed }: MadeEvent, name: string): string[] {
  const ports = exposed.map((port) => port.replace('/tcp', '')).filter((port) => /^\d+$/.test(port))
  const publish = ports.map((port) => ` --publish ${port}:${port}`).join('')
  // A run takes names of users, and no numbers.
  const [named = ''] = /^[A-Za-z][A-Za-z0-9_-]*(?=:|$)/.exec(user) ?? []
  const asUser = named === '' || named === 'runner' ? '' : ` --user ${named}`
  if (publish === '' && asUser === '') return []
  const facts = [
    ...(publish === '' ? [] : [`listens on ${ports.join(', ')}`]),
    ...(asUser === '' ? [] : [`runs as ${quote(user)}`]),
  ]
  return [`By its configuration, the image ${facts.join(' and ')}: \`stagectl run ${name}${publish}${asUser}\`.`]
}
