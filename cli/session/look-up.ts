import { NotFound } from '../../base/errors.js'
import { formatFqn, parseFqn, SHARED_NAMESPACE, type FqnKind } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import type { Detection, DetectionQuestion } from '../../daemon/documents/detection.js'
import { ApiProblem } from '../api/api-problem.js'
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
  const { code, noun, list } = seeList(kind)
  if (!isLocal(name)) {
    try {
      return await api.get<Document>(pathOf(kind, ref), { signal })
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.code !== code || !(await comesWithStagerd(session, ref, kind)))
        throw error
      throw new NotFound(code, `There is no ${noun} ${ref}: ${bootstrapOf(ref)}.`, { cause: error })
    }
  }
  const found = await findShared<Document>(session, name, kind)
  if (found !== undefined) return found
  const shared = formatFqn(kind, { namespace: SHARED_NAMESPACE, name })
  const advice = (await comesWithStagerd(session, shared, kind)) ? bootstrapOf(shared) : `see ${list}`
  throw new NotFound(code, `There is no ${noun} ${name} in ${searched(session).join(' or ')}: ${advice}.`)
}

/** Whether a bootstrap would make this pipeline, or stager. The explanation of a detection names what ships and is missing. */
async function comesWithStagerd({ api, signal }: Session, fqn: string, kind: FqnKind): Promise<boolean> {
  if ((kind !== 'stagpipe' && kind !== 'job') || isUuid(fqn)) return false
  const { namespace, name } = parseFqn(fqn, kind, SHARED_NAMESPACE)
  if (namespace !== SHARED_NAMESPACE) return false
  const question: DetectionQuestion = { namespace, names: [] }
  const { candidates } = await api.post<Detection>('/v1/detections', question, { signal })
  return candidates.some((one) => one.name === name && one.pipeline === undefined)
}

function bootstrapOf(fqn: string): string {
  return `make it with \`stagectl bootstrap ${fqn.replace(/^.*::/, '')}\``
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

/** Whether it has to be looked for: it is no full name, and no UUID. */
export function isLocal(name: string): boolean {
  return !isUuid(name) && !name.includes('::')
}
