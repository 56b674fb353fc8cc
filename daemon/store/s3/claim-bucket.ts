import { Conflict } from '../../../base/errors.js'
import type { Bucket } from './bucket.js'

/** Empty objects, one for each database whose rows refer to the blobs below the prefix: there is one. */
const DATABASES = 'databases/'

/**
 * Claims the objects below the prefix of a bucket for one database. All nodes of that may use them; another would take for
 * garbage what it does not refer to.
 *
 * It writes its own claim and then looks for others, so that of two that begin at once at least one sees the other, also on
 * a server without conditional writes. Both may be refused then.
 *
 * Throws `Conflict` (`object-store-of-another`), and what the bucket throws.
 *
 * @param databaseId a UUID
 */
export async function claimBucket(
  bucket: Pick<Bucket, 'create' | 'list' | 'remove' | 'nameOf'>,
  databaseId: string,
): Promise<void> {
  const own = DATABASES + databaseId
  const before = await claims(bucket)
  assertNoneOfAnother(bucket, before, own)
  if (before.includes(own)) return
  await bucket.create(own)
  try {
    assertNoneOfAnother(bucket, await claims(bucket), own)
  } catch (error) {
    await bucket.remove(own)
    throw error
  }
}

async function claims(bucket: Pick<Bucket, 'list'>): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { key } of bucket.list(DATABASES)) found.push(key)
  return found
}

function assertNoneOfAnother(bucket: Pick<Bucket, 'nameOf'>, found: readonly string[], own: string): void {
  const other = found.find((key) => key !== own)
  if (other === undefined) return
  throw new Conflict(
    'object-store-of-another',
    `Another database has its data below this prefix of the bucket, and each would delete those of the other as garbage: give this one another s3-prefix, or delete the object ${bucket.nameOf(other)} if that database is no more.`,
  )
}
