import { setTimeout as delay } from 'node:timers/promises'
import path from 'node:path'
import type { StagerDraft } from '../../../daemon/documents/stager.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { residentMiB } from './census.js'
import { until, type PrivateDaemon } from './private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from './tarballs.js'

/** A way to end: how its stager goes about it, and what becomes of the staging. */
interface Kind {
  /** Of the script of the stager. */
  readonly script: string
  readonly limits?: StagerDraft['limits']
  /** Cancelled after up to so many milliseconds. */
  readonly cancelWithinMs?: number
  /** State, or cause of the failure. */
  readonly ends: readonly string[]
}

const MIB = 2 ** 20
const WORK = 'wget -q -O /tmp/data.gz "$STAGER_URL/data"; mkdir -p /app/out; echo built >/app/out/built'
const say = (what: string) => `wget -q -O - --post-data= "$STAGER_URL/${what}"`

export const KINDS: Readonly<Record<string, Kind>> = {
  done: { script: `${WORK}; ${say('snapshot?directory=/app/out')}; ${say('done')}`, ends: ['succeeded'] },
  // What it has put into its cache tells the second launch that it is the second.
  relaunch: {
    script: `if rm "$STAGER_CACHE/second"; then ${say('done')}; else touch "$STAGER_CACHE/second"; ${say('relaunch')}; fi`,
    ends: ['succeeded'],
  },
  failed: { script: `${WORK}; ${say('failed')}`, ends: ['stager-failed'] },
  crash: { script: `${WORK}; exit 3`, ends: ['no-verdict'] },
  killed: { script: `${say('snapshot?directory=/tmp')}; kill -9 $$`, ends: ['no-verdict'] },
  timeout: { script: 'sleep 60', limits: { timeout_ms: 1500 }, ends: ['timeout'] },
  memory: {
    script: 'x=0123456789abcdef; while :; do x=$x$x; done',
    limits: { memory_bytes: 16 * MIB },
    ends: ['out-of-memory'],
  },
  disk: {
    script: 'head -c 33554432 /dev/zero >/tmp/x; sleep 60',
    limits: { disk_bytes: 8 * MIB },
    ends: ['disk-full'],
  },
  processes: {
    script: 'for i in $(seq 100); do sleep 30 & done; wait',
    limits: { pids: 20 },
    ends: ['pids-limit'],
  },
  noise: { script: `yes | head -n 20000; ${say('done')}`, ends: ['succeeded'] },
  cancelled: { script: 'sleep 60', cancelWithinMs: 2000, ends: ['cancelled'] },
  'cancelled early': { script: 'sleep 60', cancelWithinMs: 0, ends: ['cancelled'] },
}

const stagerOf = (kind: string) => kind.replaceAll(' ', '-')

export interface ManyOptions {
  /** How many to stage; Infinity with `forMs`. */
  readonly stagings: number
  /** How many packages are staged at once. */
  readonly atOnce: number
  /** No staging is begun after it, in milliseconds. */
  readonly forMs: number
  /** After so many stagings the daemon is killed and started again; in the last half it is not. */
  readonly killEvery: number
  /** A number from 0 below 1, as Math.random. */
  readonly random: () => number
}

/** What was measured when a staging ended. */
export interface Sample {
  readonly seconds: number
  readonly residentMiB: number
  /** Of a staging of kind `done`, from its submission to the end. */
  readonly stagingMs: number | undefined
  /** Of a request for the list of stagings. */
  readonly requestMs: number
}

export interface ManyStagings {
  /** How many of each kind. */
  readonly ended: ReadonlyMap<string, number>
  readonly kills: number
  readonly samples: readonly Sample[]
  /** Stagings that ended in another way than their kind says, one line each. */
  readonly wrong: readonly string[]
}

/** Adds a root, a stager and a pipeline for each kind, and a package for each of those that are staged at once. */
export async function furnish(daemon: PrivateDaemon, atOnce: number): Promise<string> {
  const file = (name: string) => path.join(daemon.directory, `${name}.tar.gz`)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  // One package, so that there is one image for all.
  const scripts = Object.entries(KINDS).map(([name, { script }]) => [stagerOf(name), `#!/bin/sh\n${script}\n`])
  const program = await stagerTarball(file('program'), Object.fromEntries(scripts) as Record<string, string>)
  await daemon.addPackage(program, 'program', { dependencies: 'os.linux' })
  for (const [name, { limits }] of Object.entries(KINDS))
    await daemon.addStager({
      name: stagerOf(name),
      package: 'package::/::program',
      start_command: `./${stagerOf(name)}`,
      ...(limits ? { limits } : {}),
    })
  const source = await tarballOf(file('source'), { 'index.html': 'hello' })
  for (let index = 0; index < atOnce; index++)
    await daemon.addPackage(source, `package-${index}`, { state: 'uploaded', dependencies: 'os.linux' })
  return (await daemon.upload(source)).sha256
}

/** Stages again and again, several packages at once, each time in a way that is drawn. */
export class Many {
  readonly #ended = new Map<string, number>()
  readonly #samples: Sample[] = []
  readonly #wrong: string[] = []
  readonly #began = performance.now()
  #begun = 0
  #kills = 0
  #restarting: Promise<void> | undefined

  constructor(
    private readonly daemon: PrivateDaemon,
    private readonly source: string,
    private readonly options: ManyOptions,
  ) {}

  async run(): Promise<ManyStagings> {
    await Promise.all(Array.from({ length: this.options.atOnce }, (_, index) => this.#stageOn(`package-${index}`)))
    await this.#restarting
    return { ended: this.#ended, kills: this.#kills, samples: this.#samples, wrong: this.#wrong }
  }

  async #stageOn(name: string): Promise<void> {
    const names = Object.keys(KINDS)
    const { stagings, random, forMs } = this.options
    while (this.#begun < stagings && performance.now() - this.#began < forMs) {
      // Each kind in turn, so that few stagings have all of them; the rest is drawn.
      const turn = this.#begun++
      const kind = names[turn < names.length ? turn : Math.floor(random() * names.length)] ?? ''
      await this.#stage(name, kind)
      this.#ended.set(kind, (this.#ended.get(kind) ?? 0) + 1)
      this.#killInTurn(turn)
    }
  }

  async #stage(name: string, kind: string): Promise<void> {
    const { cancelWithinMs, ends } = KINDS[kind]!
    const submitted = performance.now()
    const { uuid } = await this.#untilAnswered(() => this.#submit(name, kind))
    if (cancelWithinMs !== undefined) {
      await delay(this.options.random() * cancelWithinMs)
      await this.#untilAnswered(() => this.daemon.call('POST', `/v1/stagings/${uuid}/cancel`))
    }
    const staging = await this.#untilAnswered(() => this.daemon.ended(uuid, 600_000))
    const end = staging.failure?.cause ?? staging.state
    if (!ends.includes(end)) this.#wrong.push(`${kind} ${uuid}: ${end} ${staging.failure?.message ?? ''}`)
    await this.#sample(kind === 'done' ? performance.now() - submitted : undefined)
  }

  /** A submission whose answer was lost in a kill may have been taken: then the package has a staging that is open. */
  async #submit(name: string, kind: string): Promise<Staging> {
    const reference = `package::/::${name}`
    const open = await this.daemon.ask<Staging[]>('GET', `/v1/stagings?package=${encodeURIComponent(reference)}`)
    const found = open.find(({ state }) => state === 'queued' || state === 'running')
    if (found) return found
    return await this.daemon.ask<Staging>('POST', '/v1/stagings', {
      package: reference,
      pipeline: `stagpipe::/::${stagerOf(kind)}`,
      reuse: false,
      source: { resource: this.source },
    })
  }

  async #sample(stagingMs: number | undefined): Promise<void> {
    const began = performance.now()
    await this.#untilAnswered(() => this.daemon.call('GET', '/v1/stagings?limit=20'))
    const requestMs = performance.now() - began
    const seconds = (began - this.#began) / 1000
    const resident = await residentMiB(this.daemon.pid).catch(() => undefined)
    if (resident !== undefined) this.#samples.push({ seconds, residentMiB: resident, stagingMs, requestMs })
  }

  /** A daemon that has been killed answers again when it has been started. */
  async #untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#restarting
      const kills = this.#kills
      try {
        return await ask()
      } catch (error) {
        if (kills === this.#kills && !this.#restarting) throw error
      }
    }
  }

  #killInTurn(turn: number): void {
    const { killEvery, stagings, forMs } = this.options
    const isInLastHalf = turn > stagings / 2 || performance.now() - this.#began > forMs / 2
    if (this.#restarting || isInLastHalf || (turn + 1) % killEvery !== 0) return
    this.#restarting = (async () => {
      await this.daemon.kill()
      this.#kills += 1
      await this.daemon.restart()
    })().finally(() => (this.#restarting = undefined))
  }
}

/** Waits until no container waits for a launch, and what the Engine completes late has been swept. */
export async function settle(daemon: PrivateDaemon, left: () => Promise<readonly string[]>): Promise<void> {
  await until('nothing is left', async () => {
    await daemon.ask('POST', '/v1/node/gc', { dry_run: true })
    if ((await left()).length === 0) return true
    // Both questions take a tenth of a second of a processor.
    await delay(500)
    return false
  })
}
