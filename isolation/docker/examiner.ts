import type Docker from 'dockerode'
import { messageOf, Unavailable } from '../../base/errors.js'
import { askEngine } from '../engine/engine-errors.js'
import type { EngineSettings } from '../engine/engine-settings.js'
import { assertHoldsOverlays } from '../host/overlay-probe.js'
import type { Finding } from '../isolation.js'
import { chooseCompressor, FASTEST } from '../archive/compressor.js'
import type { CompressorChoice } from '../compressor-choice.js'
import { MAX_KEPT, type Networks } from '../network/networks.js'
import { bad, good, slow } from './finding.js'
import { examineFirewall } from './firewall-findings.js'
import { examinePrograms } from './program-findings.js'

/** Packages of operating systems have files of this user and group. */
const NOBODY = 65_534

export interface ExaminerParts {
  readonly engine: Docker
  readonly settings: EngineSettings
  readonly networks: Pick<Networks, 'kept'>
  readonly stateDirectory: string
  readonly compressor: CompressorChoice | undefined
}

/** The checks of `node doctor`. They are independent: a failed check does not stop the others. */
export class Examiner {
  constructor(private readonly parts: ExaminerParts) {}

  async examine(): Promise<readonly Finding[]> {
    const findings = await Promise.all([
      this.#engine().catch((error: unknown) => [bad('Docker Engine', messageOf(error))]),
      this.#owners(),
      examineFirewall(),
      examinePrograms(),
      compressor(this.parts.compressor ?? FASTEST),
      this.#overlays(),
    ])
    return [...findings.flat(), networks(this.parts.networks.kept)]
  }

  async #engine(): Promise<Finding[]> {
    const info = (await askEngine('report its settings', this.parts.engine.info())) as EngineInfo
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
      systemCalls(info.SecurityOptions ?? []),
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

  async #overlays(): Promise<Finding[]> {
    const { stateDirectory } = this.parts
    try {
      await assertHoldsOverlays(stateDirectory)
      return [good('overlays', `${stateDirectory} is on a filesystem that overlays can use`)]
    } catch (error) {
      return [bad('overlays', messageOf(error))]
    }
  }

  /** Silent where the Engine does not answer: that is a finding of its own. */
  async #owners(): Promise<Finding[]> {
    const subject = 'user namespace'
    try {
      const { settings } = this.parts
      settings.forget()
      const owners = await settings.owners()
      if (!owners) return [good(subject, 'containers have the ids of the host')]
      const { uids, gids } = owners
      const mapped = `the Engine maps owners (userns-remap): user 0 of containers is ${uids.outside(0)} on the host, and packages can have the user ids ${uids.insideInWords}`
      return [
        uids.outside(NOBODY) === undefined || gids.outside(NOBODY) === undefined
          ? bad(subject, `${mapped}; packages with other ids are refused: give its account 65536 in /etc/subuid`)
          : good(subject, mapped),
      ]
    } catch (error) {
      const isDown = error instanceof Unavailable && error.code === 'engine-down'
      return isDown ? [] : [bad(subject, messageOf(error))]
    }
  }
}

/** The fields of the response that are used; dockerode types it as `any`. */
interface EngineInfo {
  readonly ServerVersion: string
  readonly Driver: string
  readonly CgroupVersion?: string
  readonly SecurityOptions?: readonly string[] | null
  readonly MemoryLimit: boolean
  readonly PidsLimit: boolean
  readonly SwapLimit: boolean
}

/** @param options as `name=seccomp,profile=default` */
function systemCalls(options: readonly string[]): Finding {
  const names = new Set(options.map((option) => option.split(',')[0]))
  if (!names.has('name=seccomp'))
    return bad(
      'system calls',
      'the Docker Engine cannot filter them, so no launch can start: use a kernel with CONFIG_SECCOMP_FILTER, and an Engine with seccomp',
    )
  const both = names.has('name=apparmor') ? ', and AppArmor confines containers' : ''
  return good('system calls', `seccomp filters them${both}`)
}

/** `docker network ls` shows them, and nothing is in them. */
function networks(kept: number): Finding {
  return good('networks', `${kept} of at most ${MAX_KEPT} are kept for the next launches, with no container in them`)
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
