import { NotFound } from '../../base/errors.js'
import { formatFqn, SHARED_NAMESPACE, type FqnKind } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import { seeList } from '../api/not-found.js'
import { pathOf } from '../api/paths.js'
import type { Session } from './session.js'

/**
 * Finds what a command shows or uses. A local name is looked for in the current namespace, and then in the shared one. A
 * command that creates, changes or deletes something uses `Session.ref` instead: what it changes is in the current
 * namespace, or has its full name.
 *
 * Throws `BadInput` for an invalid name, `ApiProblem` or `NotFound` (`package-not-found`…) when nothing has the name.
 */
export async function lookUp<Document>(session: Session, name: string, kind: FqnKind): Promise<Document> {
  const { api, signal } = session
  const ref = session.ref(name, kind)
  if (!isLocal(name)) return await api.get<Document>(pathOf(kind, ref), { signal })
  const found = await findShared<Document>(session, name, kind)
  if (found !== undefined) return found
  const { code, noun, list } = seeList(kind)
  throw new NotFound(code, `There is no ${noun} ${name} in ${searched(session).join(' or ')}: see ${list}.`)
}

/** The reference to what a command uses. A full name and a UUID are not looked up. */
export async function refInUse(session: Session, name: string, kind: FqnKind): Promise<string> {
  if (!isLocal(name)) return session.ref(name, kind)
  return (await lookUp<{ readonly fqn: string }>(session, name, kind)).fqn
}

/** Undefined when neither namespace has the local name. */
async function findShared<Document>(session: Session, name: string, kind: FqnKind): Promise<Document | undefined> {
  for (const namespace of searched(session)) {
    const path = pathOf(kind, formatFqn(kind, { namespace, name }))
    const found = await session.api.find<Document>(path, { signal: session.signal })
    if (found !== undefined) return found
  }
  return undefined
}

function searched({ namespace }: Session): string[] {
  return [...new Set([namespace, SHARED_NAMESPACE])]
}

function isLocal(name: string): boolean {
  return !isUuid(name) && !name.includes('::')
}
