import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import type { Package } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Staging } from '../../daemon/documents/staging.js'
import type { UnixHttp } from './unix-http.js'

/** The line that a waiting stager prints when it has changed its files. Then it sleeps. */
export const READY = 'bench: ready'
const READY_TIMEOUT_MS = 120_000

interface Container {
  readonly Id: string
  readonly Config: { readonly Env: readonly string[] }
  readonly State: { readonly Pid: number }
  readonly GraphDriver: { readonly Data: { readonly UpperDir?: string } | null }
}

/**
 * A launch whose stager waits, so that a benchmark can send requests to its coordinator.
 *
 * LIFECYCLE: `start`, then `end` exactly once.
 */
export class WaitingLaunch {
  private constructor(
    private readonly api: UnixHttp,
    private readonly staging: string,
    readonly url: string,
    readonly container: string,
    /** The upper directory of its overlay. */
    readonly upper: string,
    /** Its root directory, as seen from the host. */
    private readonly root: string,
  ) {}

  /** @param names a package and a pipeline in the namespace /bench */
  static async start(
    api: UnixHttp,
    engine: UnixHttp,
    names: { readonly package: string; readonly pipeline: string },
  ): Promise<WaitingLaunch> {
    const { uuid: subject } = await api.get<Package>(pathOf('packages', 'package', names.package))
    const { uuid: pipeline } = await api.get<Pipeline>(pathOf('stagingpipelines', 'stagpipe', names.pipeline))
    const { uuid } = await api.post<Staging>('/v1/stagings', { package: subject, pipeline })
    const deadline = performance.now() + READY_TIMEOUT_MS
    for (;;) {
      const log = await text(await api.open('GET', `/v1/stagings/${uuid}/log?follow=false`))
      const { state, failure, launches } = await api.get<Staging>(`/v1/stagings/${uuid}`)
      if (log.includes(READY)) return await WaitingLaunch.#inspect(api, engine, uuid, launches[0]?.uuid ?? '')
      if ((state !== 'queued' && state !== 'running') || performance.now() > deadline)
        throw new Error(`staging ${uuid} is ${state} and not ready: ${JSON.stringify(failure)}\n${log}`)
      await setTimeout(100)
    }
  }

  static async #inspect(api: UnixHttp, engine: UnixHttp, staging: string, launch: string): Promise<WaitingLaunch> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`io.stagerd.launch=${launch}`] }))
    const [found] = await engine.get<{ Id: string }[]>(`/containers/json?filters=${filters}`)
    if (!found) throw new Error(`launch ${launch} has no container`)
    const { Id, Config, State, GraphDriver } = await engine.get<Container>(`/containers/${found.Id}/json`)
    const url = Config.Env.find((entry) => entry.startsWith('STAGER_URL='))?.slice('STAGER_URL='.length)
    if (url === undefined) throw new Error(`launch ${launch} has no STAGER_URL`)
    return new WaitingLaunch(api, staging, url, Id, GraphDriver.Data?.UpperDir ?? '', `/proc/${State.Pid}/root`)
  }

  /** Changes one small file, so that the next snapshot cannot be cached. */
  async change(): Promise<void> {
    await writeFile(join(this.root, 'srv/turn'), randomUUID())
  }

  /** @returns milliseconds until the response */
  async request(method: 'GET' | 'POST', operation: string): Promise<number> {
    const began = performance.now()
    await new Promise<void>((resolve, reject) => {
      const req = request(`${this.url}/${operation}`, { method, agent: false }, (response) => {
        text(response).then((body) => {
          if (response.statusCode === 200) resolve()
          else reject(new Error(`${method} /${operation}: ${response.statusCode} ${body}`))
        }, reject)
      })
      req.on('error', reject).end()
    })
    return performance.now() - began
  }

  async end(): Promise<void> {
    // An unread response would keep its connection open, and so this process running.
    await text(await this.api.open('POST', `/v1/stagings/${this.staging}/cancel`))
    for (;;) {
      const { state } = await this.api.get<Staging>(`/v1/stagings/${this.staging}`)
      if (state !== 'queued' && state !== 'running') return
      await setTimeout(50)
    }
  }
}

function pathOf(collection: string, kind: string, name: string): string {
  return `/v1/${collection}/${encodeURIComponent(`${kind}::/bench::${name}`)}`
}
