import { statfs } from 'node:fs/promises'
import type Docker from 'dockerode'
import { messageOf } from '../../base/errors.js'
import { askEngine } from '../engine/engine-errors.js'
import { assertHoldsOverlays } from '../host/overlay-probe.js'
import type { Finding } from '../isolation.js'
import type { Firewall } from '../network/firewall.js'
import { chooseCompressor, FASTEST } from '../archive/compressor.js'
import type { CompressorChoice } from '../compressor-choice.js'
import { bad, good, slow } from './finding.js'
import { examineFirewall } from './firewall-findings.js'
import { examinePrograms } from './program-findings.js'

const GIB = 2 ** 30

/** The checks of `node doctor`. They are independent: a failed check does not stop the others. */
export class Examiner {
  constructor(
    private readonly engine: Docker,
    private readonly stateDirectory: string,
    private readonly firewall: Firewall,
    private readonly choice: CompressorChoice = FASTEST,
  ) {}

  async examine(): Promise<readonly Finding[]> {
    const findings = await Promise.all([
      this.#engine().catch((error: unknown) => [bad('Docker Engine', messageOf(error))]),
      examineFirewall(this.firewall),
      examinePrograms(),
      compressor(this.choice),
      this.#stateDirectory(),
      this.#disk(),
    ])
    return findings.flat()
  }

  async #engine(): Promise<Finding[]> {
    const info = (await askEngine('report its settings', this.engine.info())) as EngineInfo
    const overlay = ['overlay2', 'overlayfs'].includes(info.Driver)
    return [
      good('Docker Engine', `version ${info.ServerVersion} answers`),
      overlay
        ? good('storage driver', info.Driver)
        : bad(
            'storage driver',
            `${info.Driver} has no upper directory, so snapshots fail: set "storage-driver": "overlay2" in /etc/docker/daemon.json`,
          ),
      good('cgroups', `version ${info.CgroupVersion ?? '1'}`),
      info.MemoryLimit && info.PidsLimit
        ? good('limits', 'the kernel enforces memory and pids limits')
        : bad(
            'limits',
            'the kernel does not limit memory or pids: boot with cgroup_enable=memory, and enable the pids controller',
          ),
      info.SwapLimit || info.CgroupVersion === '2'
        ? good('swap limit', 'the kernel enforces it')
        : slow(
            'swap limit',
            'a stager can exceed its memory limit by swapping: boot with swapaccount=1, or without swap',
          ),
    ]
  }

  async #stateDirectory(): Promise<Finding[]> {
    try {
      await assertHoldsOverlays(this.stateDirectory)
      return [good('state directory', `${this.stateDirectory} is on a filesystem that overlays can use`)]
    } catch (error) {
      return [bad('state directory', messageOf(error))]
    }
  }

  async #disk(): Promise<Finding[]> {
    try {
      const { bavail, bsize } = await statfs(this.stateDirectory)
      const free = (bavail * bsize) / GIB
      const message = `${free.toFixed(1)} GiB free at ${this.stateDirectory}`
      return [
        free < 2
          ? bad('disk', `${message}: less than 2 GiB, so stagings may fail; free some space`)
          : good('disk', message),
      ]
    } catch (error) {
      return [bad('disk', `${this.stateDirectory} cannot be examined: ${messageOf(error)}`)]
    }
  }
}

/** The fields of the response that are used; dockerode types it as `any`. */
interface EngineInfo {
  readonly ServerVersion: string
  readonly Driver: string
  readonly CgroupVersion?: string
  readonly MemoryLimit: boolean
  readonly PidsLimit: boolean
  readonly SwapLimit: boolean
}

async function compressor(choice: CompressorChoice): Promise<Finding[]> {
  let found
  try {
    found = await chooseCompressor(choice)
  } catch (error) {
    return [bad('compressor', messageOf(error))]
  }
  const { name, level } = found
  const inUse = `${name} at level ${level}`
  if (name === 'igzip') return [good('compressor', inUse)]
  // Measured with 200 MB of Debian. pigz uses all processors, but needs eight idle ones to be as fast as igzip.
  return [
    slow(
      'compressor',
      `${inUse}: igzip needs an eighth of the processor time; install the package isal, and set compressor to auto`,
    ),
  ]
}
