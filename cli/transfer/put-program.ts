import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { packagePath } from '../api/paths.js'
import { stageAndFollow } from '../follow/follow-staging.js'
import type { Session } from '../session/session.js'
import { prepareDirectory } from './prepare-tarball.js'
import { putPackage } from './put-package.js'
import { upload } from './upload.js'

export interface StagerProgram {
  readonly directory: string
  /** Names the package that holds the program. */
  readonly names: { readonly namespace: string; readonly name: string }
  /** That package, if it exists. */
  readonly before: Package | undefined
  readonly dependencies: readonly Capability[] | undefined
  /** The pipeline that stages the program, if any. */
  readonly staging: Pipeline | undefined
}

export type ProgramResult =
  { readonly kind: 'ready'; readonly document: Package } | { readonly kind: 'failed'; readonly staging: Staging }

/**
 * Puts the program of a stager into a package. Without a pipeline, its files go to /app, where a stager starts. With a
 * pipeline, it is staged like any source, and the pipeline decides where the files go.
 */
export async function putProgram(session: Session, program: StagerProgram): Promise<ProgramResult> {
  const { api, signal } = session
  const { directory, names, before, dependencies, staging } = program
  const { sha256 } = await upload(
    session,
    await prepareDirectory(session, directory, staging ? '' : 'app'),
    names.namespace,
  )
  const document = await putPackage(session, names, before, {
    resource: sha256,
    state: staging ? 'uploaded' : 'ready',
    dependencies,
    environment: undefined,
  })
  if (!staging) return { kind: 'ready', document }
  const draft = { package: document.uuid, pipeline: staging.uuid }
  const ended = await stageAndFollow(session, { path: '/v1/stagings', document: draft })
  if (ended.state !== 'succeeded') return { kind: 'failed', staging: ended }
  return { kind: 'ready', document: await api.get<Package>(packagePath(document.uuid), { signal }) }
}
