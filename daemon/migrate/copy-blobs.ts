import { messageOf, NotFound, StagerdError } from '../../base/errors.js'
import { settleAll } from '../../base/settle-all.js'
import { cautiousNow } from '../../base/steady-clock.js'
import { blobNotFound } from '../store/blob-errors.js'
import type { BlobStore } from '../store/blob-store.js'
import type { Progress } from './progress.js'

/** Each waits for the other store most of the time. */
const AT_ONCE = 4

export interface BlobCopy {
  readonly from: Pick<BlobStore, 'list' | 'open'>
  readonly to: Pick<BlobStore, 'list' | 'write'>
  /** Digests of what the rows refer to. */
  readonly referred: readonly string[]
  /** What is younger is copied too, in milliseconds: it may be an upload that nothing refers to yet. */
  readonly graceMs: number
  readonly signal: AbortSignal
  /** Shows the progress of so many blobs. */
  readonly begin: (count: number, bytes: number) => Promise<Progress>
}

export interface CopiedBlobs {
  /** Lengths in bytes of all that must be in the other store now, by digest. */
  readonly there: ReadonlyMap<string, number>
  /** What the rows refer to, and the first store does not have, or not as it was stored. */
  readonly lost: readonly { readonly sha256: string; readonly why: string }[]
}

/**
 * Copies what the other store lacks. Each blob is verified by its digest while it is copied, and there completely or not at all: a copy
 * that was interrupted goes on with the next blob.
 */
export async function copyBlobs({ from, to, referred, graceMs, signal, begin }: BlobCopy): Promise<CopiedBlobs> {
  const lengths = new Map<string, number>()
  const wanted = new Set(referred)
  const youngest = cautiousNow() - graceMs
  for await (const { sha256, length, modifiedAt } of from.list()) {
    lengths.set(sha256, length)
    if (modifiedAt.getTime() >= youngest) wanted.add(sha256)
  }
  const present = await lengthsIn(to)
  const there = new Map<string, number>()
  const missing: { readonly sha256: string; readonly length: number }[] = []
  const lost: { readonly sha256: string; readonly why: string }[] = []
  for (const sha256 of [...wanted].sort()) {
    const length = lengths.get(sha256)
    if (length === undefined) lost.push({ sha256, why: blobNotFound(sha256).message })
    else if (present.get(sha256) === length) there.set(sha256, length)
    else missing.push({ sha256, length })
  }
  const progress = await begin(
    missing.length,
    missing.reduce((sum, { length }) => sum + length, 0),
  )
  const queue = missing.values()
  let failed = false
  const copyNext = async () => {
    for (const { sha256, length } of queue) {
      signal.throwIfAborted()
      if (failed) return
      try {
        const { stream } = await from.open(sha256)
        await to.write(stream, { expected: { sha256, length }, signal }).finally(() => stream.destroy())
        there.set(sha256, length)
      } catch (error) {
        if (!isLoss(error)) throw error
        lost.push({ sha256, why: messageOf(error) })
      }
      progress.copied(length)
    }
  }
  const copyOrStop = () =>
    copyNext().catch((error: unknown) => {
      failed = true
      throw error
    })
  try {
    await settleAll(Array.from({ length: AT_ONCE }, copyOrStop))
  } finally {
    progress.stop()
  }
  return { there, lost }
}

/** By digest, in bytes. */
export async function lengthsIn(blobs: Pick<BlobStore, 'list'>): Promise<ReadonlyMap<string, number>> {
  const lengths = new Map<string, number>()
  for await (const { sha256, length } of blobs.list()) lengths.set(sha256, length)
  return lengths
}

function isLoss(error: unknown): boolean {
  return error instanceof NotFound || (error instanceof StagerdError && error.code === 'blob-corrupt')
}
