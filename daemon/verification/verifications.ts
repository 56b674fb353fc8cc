import type { Logger } from 'pino'
import { Fault } from '../../base/errors.js'
import type { Verdict } from '../store/blob-store.js'
import type { BlobObserver } from '../store/known-content.js'
import type { Verification, VerificationRepository, VerifiedKind } from '../store/verification-repository.js'

export interface VerificationsParts {
  readonly repository: VerificationRepository
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** How long what is known may wait to be recorded, in milliseconds. Damage does not wait. */
const RECORD_MS = 30_000

/**
 * When each blob and layer was last verified, and what is damaged: by whoever has read it to its end, or written it.
 *
 * What is sound is recorded some time later, several at once, so that no write or read waits for it. A crash loses that:
 * then the content is verified again earlier than it would have to be.
 */
export class Verifications implements BlobObserver {
  /** Is told of blobs that should be verified soon. */
  onGivenOut: (sha256: string) => void = () => undefined
  /** Is told of what is not there any more. */
  onDeleted: (kind: VerifiedKind, id: string) => void = () => undefined
  readonly #parts: VerificationsParts
  readonly #known = new Map<string, Verification>()
  readonly #changed = new Set<string>()
  readonly #found = { blob: 0, layer: 0 }
  #timer: NodeJS.Timeout | undefined
  #recording: Promise<void> = Promise.resolve()

  private constructor(parts: VerificationsParts, known: readonly Verification[]) {
    this.#parts = parts
    for (const one of known) this.#known.set(keyOf(one.kind, one.id), one)
  }

  static async load(parts: VerificationsParts): Promise<Verifications> {
    return new Verifications(parts, await parts.repository.all())
  }

  get(kind: VerifiedKind, id: string): Verification | undefined {
    return this.#known.get(keyOf(kind, id))
  }

  /** Those whose content was damaged when it was last looked at. */
  damaged(kind: VerifiedKind): readonly (Verification & { readonly damaged: string })[] {
    return [...this.#known.values()].filter(
      (one): one is Verification & { readonly damaged: string } => one.kind === kind && one.damaged !== undefined,
    )
  }

  /** How often damage was found since the start. */
  foundSinceStart(kind: VerifiedKind): number {
    return this.#found[kind]
  }

  judged(sha256: string, verdict: Verdict, fileState: string): void {
    const before = this.get('blob', sha256)?.damaged
    if (verdict === 'sound') {
      if (before !== undefined)
        this.#parts.logger.info(
          { resource: sha256 },
          'the content of a stored resource that was damaged is sound again',
        )
      this.#set('blob', sha256, undefined)
      return
    }
    this.#set('blob', sha256, fileState)
    if (before === fileState) return
    this.#found.blob += 1
    const err = new Fault(
      'blob-corrupt',
      `The stored resource ${sha256} is damaged: upload it again, or stage its package again.`,
    )
    this.#parts.logger.error({ err, resource: sha256 }, 'the content of a stored resource is damaged')
  }

  givenOut(sha256: string): void {
    this.onGivenOut(sha256)
  }

  deleted(sha256: string): void {
    this.#forget('blob', sha256)
  }

  soundLayer(id: string): void {
    this.#set('layer', id, undefined)
  }

  /** For those who read layers. */
  readonly ofLayers = {
    damaged: (id: string, how: string) => {
      this.#found.layer += 1
      this.#set('layer', id, how)
      const err = new Fault('layer-damaged', `The layer ${id} ${how}: look at the disk of the state directory.`)
      this.#parts.logger.error({ err, layer: id }, 'the content of a layer is damaged; it is made again from its blob')
    },
    gone: (id: string) => this.#forget('layer', id),
  }

  /** Forgets all others of this kind. */
  keepOnly(kind: VerifiedKind, ids: ReadonlyMap<string, unknown>): void {
    for (const one of this.#known.values()) if (one.kind === kind && !ids.has(one.id)) this.#forget(kind, one.id)
  }

  /** Resolves when everything is recorded that is known now, or has been tried. */
  async record(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#recording = this.#recording.then(() => this.#record())
    await this.#recording
  }

  async #record(): Promise<void> {
    const keys = [...this.#changed]
    this.#changed.clear()
    const changed = keys.map((key) => this.#known.get(key)).filter((one) => one !== undefined)
    const forgotten = keys.filter((key) => !this.#known.has(key)).map(partsOf)
    if (keys.length === 0) return
    try {
      await this.#parts.repository.record(changed, forgotten)
    } catch (error) {
      for (const key of keys) this.#changed.add(key)
      this.#recordSoon()
      this.#parts.logger.warn({ err: error }, 'what was verified could not be recorded; that is tried again')
    }
  }

  #set(kind: VerifiedKind, id: string, damaged: string | undefined): void {
    this.#known.set(keyOf(kind, id), { kind, id, at: new Date(), damaged })
    this.#changed.add(keyOf(kind, id))
    if (damaged === undefined) this.#recordSoon()
    else void this.record()
  }

  #forget(kind: VerifiedKind, id: string): void {
    this.onDeleted(kind, id)
    if (!this.#known.delete(keyOf(kind, id))) return
    this.#changed.add(keyOf(kind, id))
    this.#recordSoon()
  }

  #recordSoon(): void {
    this.#timer ??= setTimeout(() => void this.record(), RECORD_MS).unref()
  }
}

function keyOf(kind: VerifiedKind, id: string): string {
  return `${kind} ${id}`
}

function partsOf(key: string): Pick<Verification, 'kind' | 'id'> {
  const [kind, id = ''] = key.split(' ')
  return { kind: kind as VerifiedKind, id }
}
