import { Fault } from '../../base/errors.js'
import type { StagerSnapshot, Staging } from '../model/staging.js'
import type { SealedSecret, SecretRepository } from '../store/secret-repository.js'
import { Mask } from './mask.js'
import { assertSecretName, assertSecrets } from './rules.js'
import type { Seal } from './seal.js'

type Values = ReadonlyMap<string, Uint8Array>

export interface LaunchSecrets {
  /** What the program of the launch finds, by name. */
  readonly given: Values
  /** Hides all secrets of the staging: one stager may have left them to the next. Undefined if there are none. */
  readonly mask: Mask | undefined
}

export interface StoredSecret {
  readonly name: string
  readonly updatedAt: string
}

/** The only place that has both secrets and the key that seals them. */
export class Secrets {
  constructor(private readonly parts: { readonly repository: SecretRepository; readonly seal: Seal }) {}

  /** Of a staging of this package. Throws as `assertSecrets`. */
  sealForStaging(packageUuid: string, secrets: Values): Uint8Array {
    assertSecrets(secrets)
    const document = Object.fromEntries(
      [...secrets].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    )
    return this.parts.seal.close(Buffer.from(JSON.stringify(document)), placeOfStaging(packageUuid))
  }

  /**
   * What the launch at the step of a staging is given: the secrets that its stager has itself, and over them those of the
   * staging that the stager takes. Throws `Fault` (`secrets-lost`).
   */
  async ofLaunch(staging: Staging): Promise<LaunchSecrets> {
    const stager = staging.stagers[staging.step]
    const [ofStaging, ofStagers] = [await this.#ofStaging(staging), await this.#ofStagers(staging.stagers)]
    const own = ofStagers.filter(({ stagerUuid }) => stagerUuid === stager?.uuid)
    const taken = [...ofStaging].filter(([name]) => stager?.secrets?.includes(name))
    return {
      given: new Map([...own.map(({ name, value }) => [name, value] as const), ...taken]),
      mask: Mask.of([...ofStaging.values(), ...ofStagers.map(({ value }) => value)]),
    }
  }

  /** Whether a launch of the staging is given any. */
  async areGiven({ secrets, stagers }: Pick<Staging, 'secrets' | 'stagers'>): Promise<boolean> {
    return secrets.length > 0 || (await this.parts.repository.ofStagers(uuidsOf(stagers))).length > 0
  }

  /** By name, without the values: nobody gets those back. */
  async list(stagerUuid: string): Promise<readonly StoredSecret[]> {
    return await this.parts.repository.ofStagers([stagerUuid])
  }

  /** Throws as `assertSecrets`, and what `SecretRepository.put` throws. */
  async set(stagerUuid: string, name: string, value: Uint8Array): Promise<StoredSecret> {
    assertSecrets(new Map([[name, value]]))
    const sealed = this.parts.seal.close(value, placeOfStager(stagerUuid, name))
    return await this.parts.repository.put({ stagerUuid, name, sealed })
  }

  /** Throws `NotFound` (`secret-not-found`). */
  async remove(stagerUuid: string, name: string): Promise<StoredSecret> {
    assertSecretName(name)
    return await this.parts.repository.delete(stagerUuid, name)
  }

  async #ofStaging({ uuid, packageUuid, secrets }: Staging): Promise<Values> {
    if (secrets.length === 0) return new Map()
    const sealed = await this.parts.repository.ofStaging(uuid)
    if (!sealed)
      throw new Fault(
        'secrets-lost',
        `The secrets of the staging (${secrets.join(', ')}) are not there, as after a restore, because a backup has none: stage again, and give them again.`,
      )
    const document = this.parts.seal.open(sealed, placeOfStaging(packageUuid)).toString()
    const values = Object.entries(JSON.parse(document) as Record<string, string>)
    return new Map(values.map(([name, value]) => [name, Buffer.from(value, 'base64')]))
  }

  async #ofStagers(stagers: readonly StagerSnapshot[]) {
    const found = await this.parts.repository.ofStagers(uuidsOf(stagers))
    return found.map((secret) => ({ ...secret, value: this.#open(secret) }))
  }

  #open({ stagerUuid, name, sealed }: SealedSecret): Buffer {
    return this.parts.seal.open(sealed, placeOfStager(stagerUuid, name))
  }
}

function uuidsOf(stagers: readonly StagerSnapshot[]): string[] {
  return [...new Set(stagers.map(({ uuid }) => uuid))]
}

function placeOfStaging(packageUuid: string): string {
  return `staging of ${packageUuid}`
}

function placeOfStager(stagerUuid: string, name: string): string {
  return `${name} of stager ${stagerUuid}`
}
