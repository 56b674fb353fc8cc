import { randomUUID } from 'node:crypto'
import { messageOf } from '../../base/errors.js'
import type { Package } from '../../daemon/documents/package.js'
import { packagePath } from '../api/paths.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'

/** Where a package is published, as `Session.newName` gives it. */
export interface Target {
  readonly namespace: string
  readonly name: string
  readonly fqn: string
}

export interface Published {
  /** That of `work`. */
  readonly code: number
  /** Undefined unless `code` means success. */
  readonly made?: Package
}

/** Gives the temporary package its final name if `work` succeeds, and deletes it otherwise. */
export async function publishAfter(
  session: Session,
  temporary: Package,
  target: Target,
  work: () => Promise<number>,
): Promise<Published> {
  let made: Package | undefined
  try {
    const code = await work()
    if (code !== EXIT.success) return { code }
    made = await publish(session, temporary, target)
    return { code, made }
  } finally {
    if (!made) await discard(session, temporary)
  }
}

/** The name of a package that is not complete. */
export function temporaryNameOf({ name }: { readonly name: string }): string {
  return `${name.slice(0, 100)}.build-${randomUUID().slice(0, 8)}`
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
