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

/** What the start command of a stager says when its files are as they shall be; after that it sleeps. */
export const READY = 'bench: ready'
const LONGEST_PREPARATION_MS = 120_000

interface Container {
  readonly Id: string
  readonly Config: { readonly Env: readonly string[] }
  readonly State: { readonly Pid: number }
  readonly GraphDriver: { readonly Data: { readonly UpperDir?: string } | null }
}

/**
 * A launch whose stager waits, so that its coordinator can be asked from here as often as wanted.
 *
 * LIFECYCLE: `start`, then `end` exactly once.
 */
export class HeldLaunch {
  private constructor(
    private readonly api: UnixHttp,
    private readonly staging: string,
    readonly url: string,
    readonly container: string,
    /** Directory of what the stager has changed. */
    readonly upper: string,
    /** Its root as it sees it. */
    private readonly root: string,
  ) {}

  /** @param names of a package and a pipeline in the namespace /bench */
  static async start(
    api: UnixHttp,
    engine: UnixHttp,
    names: { readonly package: string; readonly pipeline: string },
  ): Promise<HeldLaunch> {
    const { uuid: subject } = await api.get<Package>(named('packages', 'package', names.package))
    const { uuid: pipeline } = await api.get<Pipeline>(named('stagingpipelines', 'stagpipe', names.pipeline))
    const { uuid } = await api.post<Staging>('/v1/stagings', { package: subject, pipeline })
    const deadline = performance.now() + LONGEST_PREPARATION_MS
    for (;;) {
      const said = await text(await api.open('GET', `/v1/stagings/${uuid}/log?follow=false`))
      const { state, failure, launches } = await api.get<Staging>(`/v1/stagings/${uuid}`)
      if (said.includes(READY)) return await HeldLaunch.#of(api, engine, uuid, launches[0]?.uuid ?? '')
      if ((state !== 'queued' && state !== 'running') || performance.now() > deadline)
        throw new Error(`staging ${uuid} is ${state} and not ready: ${JSON.stringify(failure)}\n${said}`)
      await setTimeout(100)
    }
  }

  static async #of(api: UnixHttp, engine: UnixHttp, staging: string, launch: string): Promise<HeldLaunch> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`io.stagerd.launch=${launch}`] }))
    const [found] = await engine.get<{ Id: string }[]>(`/containers/json?filters=${filters}`)
    if (!found) throw new Error(`launch ${launch} has no container`)
    const { Id, Config, State, GraphDriver } = await engine.get<Container>(`/containers/${found.Id}/json`)
    const url = Config.Env.find((entry) => entry.startsWith('STAGER_URL='))?.slice('STAGER_URL='.length)
    if (url === undefined) throw new Error(`launch ${launch} has no STAGER_URL`)
    return new HeldLaunch(api, staging, url, Id, GraphDriver.Data?.UpperDir ?? '', `/proc/${State.Pid}/root`)
  }

  /** One small change, as a stager makes it: what is asked for after it, nobody has done before. */
  async change(): Promise<void> {
    await writeFile(join(this.root, 'srv/turn'), randomUUID())
  }

  /** @returns milliseconds until the answer */
  async ask(method: 'GET' | 'POST', operation: string): Promise<number> {
    const began = performance.now()
    await new Promise<void>((resolve, reject) => {
      const asked = request(`${this.url}/${operation}`, { method, agent: false }, (answer) => {
        text(answer).then((said) => {
          if (answer.statusCode === 200) resolve()
          else reject(new Error(`${method} /${operation}: ${answer.statusCode} ${said}`))
        }, reject)
      })
      asked.on('error', reject).end()
    })
    return performance.now() - began
  }

  async end(): Promise<void> {
    // Its answer has to be read, or the connection would keep this program from ending.
    await text(await this.api.open('POST', `/v1/stagings/${this.staging}/cancel`))
    for (;;) {
      const { state } = await this.api.get<Staging>(`/v1/stagings/${this.staging}`)
      if (state !== 'queued' && state !== 'running') return
      await setTimeout(50)
    }
  }
}

function named(collection: string, kind: string, name: string): string {
  return `/v1/${collection}/${encodeURIComponent(`${kind}::/bench::${name}`)}`
}
