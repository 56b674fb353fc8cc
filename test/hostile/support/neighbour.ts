import path from 'node:path'
import type { Staging } from '../../../daemon/documents/staging.js'
import type { PrivateDaemon } from '../../engine/support/private-daemon.js'
import { stagerTarball } from '../../engine/support/tarballs.js'
import { Latencies } from './latencies.js'

/** A user who stages a small package again and again, and does nothing wrong. */
export class Neighbour {
  readonly #idle = new Latencies()
  readonly #meanwhile = new Latencies()
  readonly #failures: string[] = []
  #running: Promise<void> = Promise.resolve()
  #goesOn = true

  private constructor(private readonly daemon: PrivateDaemon) {}

  /**
   * Needs a package that provides os.linux.
   *
   * @param resource the digest of what it stages
   */
  static async open(daemon: PrivateDaemon, resource: string): Promise<Neighbour> {
    const file = path.join(daemon.directory, 'neighbour.tar.gz')
    const stage = `#!/bin/sh
wget -q -O /tmp/data "$STAGER_URL/data" && tar tzf /tmp/data >/dev/null || exit 1
mkdir -p /app/out && echo "of the neighbour" >/app/out/file
wget -q -O - --post-data='' "$STAGER_URL/snapshot?directory=/app/out" && wget -q -O - --post-data='' "$STAGER_URL/done"
`
    await daemon.addPackage(await stagerTarball(file, { stage }), 'neighbour', { dependencies: 'os.linux' })
    // With egress and not reproducible, so that each staging is one and not the result of another.
    const stager = { name: 'neighbour', package: 'package::/::neighbour', start_command: './stage', allow_egress: true }
    await daemon.addStager(stager)
    await daemon.ask('POST', '/v1/packages', { namespace: '/', name: 'neighbours-app', state: 'uploaded', resource })
    return new Neighbour(daemon)
  }

  /** Stages so many times while nobody else does. */
  async idle(times: number): Promise<void> {
    // The first one makes layers and the image.
    await this.#stage(new Latencies())
    for (let n = 0; n < times; n++) await this.#stage(this.#idle)
  }

  /** Stages until `stop`. */
  start(): void {
    const work = async () => {
      while (this.#goesOn) await this.#stage(this.#meanwhile)
    }
    this.#running = work()
  }

  async stop() {
    this.#goesOn = false
    await this.#running
    return { idle: this.#idle, meanwhile: this.#meanwhile, failures: this.#failures }
  }

  async #stage(latencies: Latencies): Promise<void> {
    const { state, failure } = await latencies.of(async (): Promise<Staging> => {
      const { uuid } = await this.daemon.submit('neighbours-app', 'neighbour')
      return await this.daemon.ended(uuid)
    })
    if (state !== 'succeeded') this.#failures.push(failure?.message ?? state)
  }
}
