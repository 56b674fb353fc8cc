import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { Fault } from '../../base/errors.js'

export const KEY_BYTES = 32

const CIPHER = 'aes-256-gcm'
/** The length for which GCM is made. With random ones, a key is good for 2^32 seals. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Seals secrets for the disk, by AES-256-GCM: nonce, tag, and what is sealed.
 *
 * What is sealed belongs to a place, such as a package: at another place it cannot be opened. Messages name the place.
 */
export class Seal {
  readonly #key: Buffer

  /** @param key KEY_BYTES random bytes */
  constructor(key: Buffer) {
    this.#key = key
  }

  close(content: Uint8Array, place: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place))
    const sealed = Buffer.concat([cipher.update(content), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
  }

  /** Throws `Fault` (`secrets-lost`). */
  open(sealed: Uint8Array, place: string): Buffer {
    try {
      const [nonce, tag] = [sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)]
      const decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(place)).setAuthTag(tag)
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
    } catch (error) {
      throw new Fault(
        'secrets-lost',
        `What is sealed cannot be opened (${place}), because it was sealed with another key: give the secrets again.`,
        { cause: error },
      )
    }
  }
}
