import { BadInput, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import type { Staging } from '../../daemon/documents/staging.js'
import type { Session } from '../session/session.js'

/** The first part of a UUID, which `staging list` shows on a narrow terminal, or more of it. */
const BEGINNING = /^[0-9a-f]{8}(?:-[0-9a-f-]{0,27})?$/i

/** The daemon lists no more at once. */
const SEARCHED = 1000

const SEE_LIST = 'see `stagectl staging list`'

/**
 * The ID of a staging, given whole or by its beginning. Throws `BadInput` (`bad-staging-id`, `staging-id-ambiguous`),
 * `NotFound` (`staging-not-found`) when no recent staging begins so.
 */
export async function findStagingId({ api, signal }: Session, id: string): Promise<string> {
  if (isUuid(id)) return id
  if (!BEGINNING.test(id)) throw new BadInput('bad-staging-id', `${quote(id)} is not the ID of a staging: ${SEE_LIST}.`)
  const stagings = await api.get<Staging[]>('/v1/stagings', { query: { limit: SEARCHED }, signal })
  const [found, another] = stagings.filter(({ uuid }) => uuid.startsWith(id.toLowerCase()))
  if (!found)
    throw new NotFound(
      'staging-not-found',
      `No ID of the last ${SEARCHED} stagings begins with ${quote(id)}: give the whole ID, or ${SEE_LIST}.`,
    )
  if (another)
    throw new BadInput(
      'staging-id-ambiguous',
      `Several stagings have an ID that begins with ${quote(id)}: give more of it.`,
    )
  return found.uuid
}
