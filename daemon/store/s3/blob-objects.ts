import { randomUUID } from 'node:crypto'
import { isSha256 } from '../../../base/identifiers.js'
import type { Bucket, StoredObject } from './bucket.js'

/**
 * The objects of one blob, in the order in which a listing has them:
 *
 *   blobs/<digest>/deleting-<uuid>    empty: somebody is about to delete the blob
 *   blobs/<digest>/modified-<time>    empty: when it was written or touched, in milliseconds; the latest counts
 *   blobs/<digest>/object             its content
 *
 * The time of an object has whole seconds only, and to renew it costs a copy of the content. A new empty object costs
 * nothing, and does not disturb what another node does at the same time. Its name has the time by the clock of the node, which
 * tells one renewal from another; when the server has stored it is a time by the clock of the server, which all nodes have in
 * common.
 */
export interface BlobObjects {
  readonly sha256: string
  readonly deleting: readonly StoredObject[]
  readonly modified: readonly { readonly key: string; readonly at: Date; readonly storedAt: Date }[]
  readonly object: StoredObject | undefined
}

/** What the names of all of them begin with. */
export const BLOBS = 'blobs/'
const OBJECT = /^blobs\/([0-9a-f]{64})\/(?:(deleting)-[0-9a-f-]{36}|modified-([0-9]{15})|object)$/

export const objectKey = (sha256: string) => `${BLOBS}${sha256}/object`
export const modifiedKey = (sha256: string, at: Date) =>
  `${BLOBS}${sha256}/modified-${String(at.getTime()).padStart(15, '0')}`
export const newDeletingKey = (sha256: string) => `${BLOBS}${sha256}/deleting-${randomUUID()}`

/** When the blob was written or touched last. Undefined if there are neither a time nor its content. */
export function modifiedAt({ modified, object }: Pick<BlobObjects, 'modified' | 'object'>): Date | undefined {
  return modified.at(-1)?.at ?? object?.lastModified
}

/** The same by the clock of the server: the latest of all times counts, whatever clock has named them. */
export function storedAt({ modified, object }: Pick<BlobObjects, 'modified' | 'object'>): Date {
  const times = [...modified.map((one) => one.storedAt.getTime()), object?.lastModified.getTime() ?? 0]
  return new Date(Math.max(...times))
}

export async function objectsOf(bucket: Pick<Bucket, 'list'>, sha256: string): Promise<BlobObjects> {
  for await (const found of blobsIn(bucket.list(`${BLOBS}${sha256}/`))) return found
  return { sha256, deleting: [], modified: [], object: undefined }
}

/** Also those whose content is not there. */
export async function* allObjects(bucket: Pick<Bucket, 'list'>): AsyncGenerator<BlobObjects> {
  yield* blobsIn(bucket.list(BLOBS))
}

/** What does not belong to a blob is left out. */
async function* blobsIn(listing: AsyncIterable<StoredObject>): AsyncGenerator<BlobObjects> {
  let sha256: string | undefined
  let found: StoredObject[] = []
  for await (const object of listing) {
    const of = OBJECT.exec(object.key)?.[1]
    if (of === undefined || !isSha256(of)) continue
    if (sha256 !== undefined && of !== sha256) {
      yield grouped(sha256, found)
      found = []
    }
    sha256 = of
    found.push(object)
  }
  if (sha256 !== undefined) yield grouped(sha256, found)
}

function grouped(sha256: string, found: readonly StoredObject[]): BlobObjects {
  const parsed = found.map((object) => ({ object, match: OBJECT.exec(object.key) }))
  return {
    sha256,
    deleting: parsed.filter(({ match }) => match?.[2] !== undefined).map(({ object }) => object),
    modified: parsed
      .filter(({ match }) => match?.[3] !== undefined)
      .map(({ object: { key, lastModified }, match }) => ({
        ...{ key, storedAt: lastModified },
        at: new Date(Number(match?.[3])),
      })),
    object: parsed.find(({ match }) => match?.[2] === undefined && match?.[3] === undefined)?.object,
  }
}
