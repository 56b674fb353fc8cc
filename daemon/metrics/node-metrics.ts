import { statfs } from 'node:fs/promises'
import { Gauge, type Registry } from 'prom-client'
import type { Isolation } from '../../isolation/isolation.js'
import type { Readiness } from '../node/readiness.js'

export interface NodeMetricsParts {
  readonly registry: Registry
  readonly isolation: Pick<Isolation, 'ping'>
  readonly readiness: Pick<Readiness, 'assertReady'>
  readonly stateDirectory: string
}

/** Whether the node can work: readiness, the Engine, the filesystem of the state directory. */
export function measureNode({ registry, isolation, readiness, stateDirectory }: NodeMetricsParts): void {
  const registers = [registry]
  new Gauge({
    name: 'stagerd_ready',
    help: '1 if queued stagings are admitted; /readyz says why not',
    registers,
    async collect() {
      this.set(await succeeds(() => readiness.assertReady()))
    },
  })
  const seconds = new Gauge({
    name: 'stagerd_engine_ping_seconds',
    help: 'How long the Docker Engine takes to answer; at most 5, when it does not',
    registers,
  })
  new Gauge({
    name: 'stagerd_engine_up',
    help: '1 if the Docker Engine answers',
    registers,
    async collect() {
      const began = performance.now()
      this.set(await succeeds(() => isolation.ping()))
      seconds.set((performance.now() - began) / 1000)
    },
  })
  const sizes = (name: string, help: string) => new Gauge({ name: `stagerd_filesystem_${name}`, help, registers })
  const [total, free] = [
    sizes('size_bytes', 'Size of the filesystem of the state directory'),
    sizes('avail_bytes', 'What of it is free'),
  ]
  const files = sizes('files', 'Inodes of the filesystem of the state directory; 0 if it has no limit')
  new Gauge({
    name: 'stagerd_filesystem_files_free',
    help: 'What of them is free',
    registers,
    async collect() {
      const found = await statfs(stateDirectory)
      total.set(found.blocks * found.bsize)
      free.set(found.bavail * found.bsize)
      files.set(found.files)
      this.set(found.ffree)
    },
  })
}

async function succeeds(work: () => Promise<void>): Promise<number> {
  try {
    await work()
    return 1
  } catch {
    return 0
  }
}
