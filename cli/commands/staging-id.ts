import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'

/** Throws `BadInput` (`bad-staging-id`). */
export function assertStagingId(id: string): string {
  if (isUuid(id)) return id
  throw new BadInput('bad-staging-id', `${quote(id)} is not the ID of a staging: see \`stagectl staging list\`.`)
}
