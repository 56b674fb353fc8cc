import { formatFqn } from '../../base/fqn.js'
import type { PolicyDocument } from '../store/repositories.js'
import type { Policy } from '../documents/policy.js'

export function renderPolicy({ uuid, namespace, name, version, text, createdAt, updatedAt }: PolicyDocument): Policy {
  const fqn = formatFqn('policydoc', { namespace, name })
  return { uuid, fqn, namespace, name, version, text, created_at: createdAt, updated_at: updatedAt }
}
