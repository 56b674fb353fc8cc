import type { BigIntStats } from 'node:fs'
import type { Verdict } from './blob-store.js'
import { TrustedFiles } from './trusted-files.js'

/** A trusted file that is given out is verified behind that, if it was not for so long. In milliseconds. */
const RECHECK_MS = 10 * 60 * 1000

export interface KnownContentOptions {
  /** Digests of blobs that an earlier process has found to be damaged, with the states of their files. */
  readonly damaged?: Iterable<readonly [sha256: string, fileState: string]>
  readonly observer?: BlobObserver
}

/** Is told what becomes known about the content of blobs, whoever has read or written them. */
export interface BlobObserver {
  /**
   * All bytes were hashed, or one of them is lost.
   *
   * @param fileState changes when the file is replaced or changed; to be given to the store of the next process
   */
  judged(sha256: string, verdict: Verdict, fileState: string): void
  /** A reader gets a trusted file as it is, and the last look at it was some time ago. */
  givenOut(sha256: string): void
  /** The blob does not exist any more. */
  deleted(sha256: string): void
}

/**
 * What is known about the content of the files of blobs.
 *
 * INVARIANTS
 * - No file is both trusted and damaged.
 * - Both are said of one state of one file. A reader can find damage in a file that has been replaced since, which says
 *   nothing about the new one. The inode number is not reused while the reader holds the old file open.
 */
export class KnownContent {
  readonly #damaged = new Map<string, Set<string>>()
  /** States of files that are sound, and whose names a crash may lose. */
  readonly #mayBeLost = new Map<string, string>()
  readonly #trusted: TrustedFiles
  readonly #observer: BlobObserver | undefined

  constructor({ damaged = [], observer }: KnownContentOptions, trusted = new TrustedFiles()) {
    for (const [sha256, state] of damaged) this.#damaged.set(sha256, new Set([state]))
    this.#observer = observer
    this.#trusted = trusted
  }

  isDamaged(sha256: string, file: BigIntStats): boolean {
    return this.#damaged.get(sha256)?.has(stateOf(file)) ?? false
  }

  /** Whether a write of the same content has to replace the file. */
  mustBeWritten(sha256: string, file: BigIntStats): boolean {
    return this.isDamaged(sha256, file) || this.#mayBeLost.get(sha256) === stateOf(file)
  }

  /** The name of the file could not be made durable. */
  mayBeLost(sha256: string, file: BigIntStats): void {
    this.#mayBeLost.set(sha256, stateOf(file))
  }

  /** Whether a reader may be given the file as it is. */
  mayGiveOut(sha256: string, file: BigIntStats): boolean {
    if (!this.#trusted.has(sha256, file)) return false
    if (this.#trusted.ageOf(sha256) > RECHECK_MS) this.#observer?.givenOut(sha256)
    return true
  }

  /** The blob has a new file. */
  written(sha256: string, file: BigIntStats): void {
    this.#damaged.delete(sha256)
    this.#mayBeLost.delete(sha256)
    this.sound(sha256, file)
  }

  /** @param file the state before the first byte was read */
  sound(sha256: string, file: BigIntStats): void {
    if (this.isDamaged(sha256, file)) return
    this.#trusted.add(sha256, file)
    this.#observer?.judged(sha256, 'sound', stateOf(file))
  }

  /** @param current finds the file that the blob has now; rejects if there is none */
  damaged(sha256: string, file: BigIntStats, current: () => Promise<BigIntStats>): void {
    const state = stateOf(file)
    this.#damaged.set(sha256, (this.#damaged.get(sha256) ?? new Set()).add(state))
    this.#trusted.forget(sha256)
    current().then(
      (now) => {
        if (stateOf(now) === state && this.isDamaged(sha256, now)) this.#observer?.judged(sha256, 'damaged', state)
      },
      () => undefined,
    )
  }

  /** What was damaged for an earlier read is not any more: memory, a cable or a controller was at fault. */
  soundAgain(sha256: string, file: BigIntStats): void {
    if (this.#damaged.get(sha256)?.delete(stateOf(file))) this.sound(sha256, file)
  }

  /** The store itself has changed the times of the file. */
  touched(sha256: string, before: BigIntStats, after: BigIntStats): void {
    this.#trusted.renew(sha256, before, after)
  }

  deleted(sha256: string): void {
    this.#damaged.delete(sha256)
    this.#mayBeLost.delete(sha256)
    this.#trusted.forget(sha256)
    this.#observer?.deleted(sha256)
  }
}

/** Without the device, whose number a restart of the host can change. */
function stateOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join(':')
}
