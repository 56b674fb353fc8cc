import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { archiveOf } from './archives.js'
import type { Answer, SocketClient } from './engineless-daemon.js'

/** What the daemon has said yes to. Nothing of it may be lost from then on. */
export type Acknowledged =
  | { readonly what: 'resource'; readonly sha256: string }
  | { readonly what: 'package'; readonly uuid: string; readonly marks: readonly string[] }
  | { readonly what: 'deletion'; readonly uuid: string }
  | { readonly what: 'staging'; readonly uuid: string; readonly state: string }

/** Variable of a package that a change sets. */
export const MARK = 'MARK'

const UPLOADED = await archiveOf({ 'app/index.html': 'hello' })

/**
 * Asks a daemon for all that changes what it keeps, one request after the other, and tells of each yes. Each operation
 * returns the answer that decides on it.
 */
export class Workload {
  /** Of the package that is exported and imported. */
  #exported: Buffer | undefined
  #number = 0
  /** Packages, as they are asked for. */
  #packages: string[] = []

  /** @param said called before the next request */
  constructor(
    readonly client: SocketClient,
    private readonly said: (acknowledged: Acknowledged) => void,
  ) {}

  /** What the operations need. To be called once for each state directory, while nothing fails. */
  async prepare(): Promise<void> {
    const { sha256 } = good(await this.client.call('POST', '/v1/resources', UPLOADED)) as { sha256: string }
    const os = { type: 'os', name: 'linux' }
    const namespace = '/'
    const program = { namespace, name: 'program', resource: sha256, state: 'ready', provides: [os] }
    good(await this.client.call('POST', '/v1/packages', program))
    const stager = { namespace, name: 'build', package: 'package::/::program', start_command: './build' }
    const { uuid } = good(await this.client.call('POST', '/v1/stagers', stager)) as { uuid: string }
    good(await this.client.call('POST', '/v1/stagingpipelines', { namespace, name: 'build', stagers: [uuid] }))
    await this.#export()
  }

  async #export(): Promise<void> {
    const ref = encodeURIComponent('package::/::program')
    this.#exported = (await this.client.call('GET', `/v1/exchange?package=${ref}`)).body
  }

  /** By name: `./scripts/soak` counts them. */
  readonly operations: Readonly<Record<string, () => Promise<Answer>>> = {
    upload: () => this.#upload(),
    'create a package': () => this.#create(),
    'change a package': () => this.#change(),
    'delete a package': () => this.#delete(),
    stage: () => this.#stage(),
    import: () => this.#import(),
    'back up': () => this.client.call('POST', '/v1/node/backup'),
    'collect garbage': () => this.client.call('POST', '/v1/node/gc', {}),
  }

  async #upload(): Promise<Answer> {
    const archive = await archiveOf({ 'app/index.html': randomUUID().repeat(1000) })
    const answer = await this.client.call('POST', '/v1/resources', archive)
    if (isYes(answer)) this.said({ what: 'resource', sha256: (answer.document as { sha256: string }).sha256 })
    return answer
  }

  async #create(state = 'ready'): Promise<Answer> {
    const uploaded = await this.#upload()
    if (!isYes(uploaded)) return uploaded
    const { sha256 } = uploaded.document as { sha256: string }
    const draft = { namespace: '/', name: `app-${randomUUID()}`, resource: sha256, state }
    const answer = await this.client.call('POST', '/v1/packages', { ...draft, environment: { [MARK]: '0' } })
    if (!isYes(answer)) return answer
    const { uuid } = answer.document as Package
    this.#packages.push(uuid)
    this.said({ what: 'package', uuid, marks: ['0'] })
    return answer
  }

  async #change(): Promise<Answer> {
    const uuid = await this.#somePackage()
    const before = (good(await this.client.call('GET', `/v1/packages/${uuid}`)) as Package).environment[MARK] ?? ''
    const mark = String(++this.#number)
    // It may be carried out although nobody says so.
    this.said({ what: 'package', uuid, marks: [before, mark] })
    const answer = await this.client.call('PATCH', `/v1/packages/${uuid}`, { environment_set: { [MARK]: mark } })
    if (isYes(answer)) this.said({ what: 'package', uuid, marks: [mark] })
    return answer
  }

  async #delete(): Promise<Answer> {
    const uuid = await this.#somePackage()
    const answer = await this.client.call('DELETE', `/v1/packages/${uuid}`)
    this.#packages = this.#packages.filter((one) => one !== uuid)
    if (isYes(answer)) this.said({ what: 'deletion', uuid })
    return answer
  }

  /** One that no fault has kept from being made. */
  async #somePackage(): Promise<string> {
    for (const uuid of this.#packages)
      if ((await this.client.call('GET', `/v1/packages/${uuid}`)).status === 200) return uuid
    const answer = await this.#create()
    if (!isYes(answer)) throw new Refusal(answer)
    return (answer.document as Package).uuid
  }

  async #stage(): Promise<Answer> {
    const created = await this.#create('uploaded')
    if (!isYes(created)) return created
    const { uuid: subject } = created.document as Package
    this.#packages = this.#packages.filter((one) => one !== subject)
    const wish = { package: subject, pipeline: 'stagpipe::/::build', reuse: false }
    const answer = await this.client.call('POST', '/v1/stagings', wish)
    if (!isYes(answer)) return answer
    const { uuid, state } = answer.document as Staging
    this.said({ what: 'staging', uuid, state })
    for (;;) {
      const now = await this.client.call('GET', `/v1/stagings/${uuid}`)
      const { state: reached } = now.document as Staging
      if (reached === 'succeeded' || reached === 'failed' || reached === 'cancelled') {
        this.said({ what: 'staging', uuid, state: reached })
        return now
      }
      await delay(5)
    }
  }

  async #import(): Promise<Answer> {
    if (!this.#exported) await this.#export()
    const url = `/v1/exchange?namespace=${encodeURIComponent(`/in-${randomUUID()}`)}`
    const answer = await this.client.call('POST', url, this.#exported)
    if (isYes(answer)) {
      const [{ uuid }] = (answer.document as { packages: [{ uuid: string }] }).packages
      this.said({ what: 'package', uuid, marks: [''] })
    }
    return answer
  }
}

export function isYes({ status }: Answer): boolean {
  return status >= 200 && status < 300
}

/** The answer was not a yes. */
export class Refusal extends Error {
  constructor(readonly answer: Answer) {
    super(`${answer.status} ${answer.body.toString().slice(0, 500)}`)
  }
}

function good(answer: Answer): unknown {
  if (!isYes(answer)) throw new Refusal(answer)
  return answer.document
}
