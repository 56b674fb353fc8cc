import { parseFqn, SHARED_NAMESPACE, type FqnKind } from '../../base/fqn.js'
import type { Session } from '../session/session.js'
import type { Named, Word } from './complete.js'

/** Who completes a word waits for it. */
const PATIENCE_MS = 1_000

const LISTS: Readonly<
  Record<Exclude<Named, 'staging' | 'webhook'>, { readonly path: string; readonly kind: FqnKind }>
> = {
  package: { path: '/v1/packages', kind: 'package' },
  stager: { path: '/v1/stagers', kind: 'job' },
  pipeline: { path: '/v1/stagingpipelines', kind: 'stagpipe' },
  policy: { path: '/v1/policies', kind: 'policydoc' },
}

/** Names that the daemon knows, as the user may write them. Throws what a request throws. */
export async function namesOf(session: Session, of: Named): Promise<readonly Word[]> {
  const { api, namespace } = session
  const signal = AbortSignal.timeout(PATIENCE_MS)
  if (of === 'staging') {
    const stagings = await api.get<{ uuid: string; package: string; state: string }[]>('/v1/stagings', {
      query: { limit: 50 },
      signal,
    })
    return stagings.map(({ uuid, package: subject, state }) => ({ text: uuid, help: `${subject}, ${state}` }))
  }
  if (of === 'webhook') {
    const webhooks = await api.get<{ uuid: string; url: string }[]>('/v1/webhooks', { signal })
    return webhooks.map(({ uuid, url }) => ({ text: uuid, help: url }))
  }
  const { path, kind } = LISTS[of]
  const found = await api.get<{ fqn: string; description?: string }[]>(path, { query: { namespace: '/' }, signal })
  return found.map(({ fqn, description }) => ({ text: shortest(fqn, kind, namespace), help: description ?? '' }))
}

/** A local name is looked for in the current namespace, and then in the shared one. */
function shortest(fqn: string, kind: FqnKind, current: string): string {
  const { namespace, name } = parseFqn(fqn, kind, current)
  return namespace === current || namespace === SHARED_NAMESPACE ? name : `${namespace}::${name}`
}
