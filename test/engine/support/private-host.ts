import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { runProcess } from '../../../base/run-process.js'

const newName = () => `sdt-${randomBytes(4).toString('hex')}`

/**
 * The first process of a host, which keeps its namespaces and ends with the test.
 *
 * A mount of sysfs shows the interfaces of the network namespace in which it was mounted, so that there is a new one. It hides the control
 * groups, which are mounted below, and without which no Engine starts: they are mounted over it again.
 */
const FIRST_PROCESS = `
ip link set lo up
mount --rbind /sys/fs/cgroup "$1"
mount -t sysfs sysfs /sys
mount --rbind "$1" /sys/fs/cgroup
umount --lazy "$1"
echo ready
exec cat
`

/** A network of tests: a bridge of this host with an address, at which servers can listen, and to which private hosts are connected. */
export class HostNetwork {
  readonly #bridge = newName()
  /** Of 198.19.0.0/16, the lower half is that of private Engines. */
  readonly #subnet = `198.19.${randomInt(128, 255)}`
  #hosts = 0

  private constructor() {}

  static async start(): Promise<HostNetwork> {
    const network = new HostNetwork()
    await runProcess('ip', ['link', 'add', network.#bridge, 'type', 'bridge'])
    await runProcess('ip', ['address', 'add', `${network.address}/24`, 'dev', network.#bridge])
    await runProcess('ip', ['link', 'set', network.#bridge, 'up'])
    return network
  }

  /** That of this host. */
  get address(): string {
    return `${this.#subnet}.1`
  }

  /** @returns the end of the cable on this host. It goes with the network namespace of the process. */
  async connect(pid: number): Promise<string> {
    const cable = newName()
    const inside = ['peer', 'name', 'eth0', 'netns', String(pid)]
    await runProcess('ip', ['link', 'add', cable, 'type', 'veth', ...inside])
    await runProcess('ip', ['link', 'set', cable, 'master', this.#bridge, 'up'])
    const enter = ['--target', String(pid), '--net', 'ip']
    const address = `${this.#subnet}.${2 + this.#hosts++}/24`
    await runProcess('nsenter', [...enter, 'address', 'add', address, 'dev', 'eth0'])
    await runProcess('nsenter', [...enter, 'link', 'set', 'eth0', 'up'])
    return cable
  }

  async close(): Promise<void> {
    await runProcess('ip', ['link', 'delete', this.#bridge])
  }
}

/**
 * A host of its own as far as its network, its firewall and its mounts go: two namespaces without names, so that nothing of them is left when
 * their processes have ended. Files, processes, control groups and the kernel are those of this host.
 */
export class PrivateHost {
  private constructor(
    private readonly first: ChildProcess,
    private readonly cable: string,
  ) {}

  static async start(network: HostNetwork): Promise<PrivateHost> {
    const groups = await mkdtemp(path.join(tmpdir(), 'stagerd-host-'))
    try {
      const namespaces = ['--net', '--mount', '--propagation', 'slave']
      const first = spawn('unshare', [...namespaces, 'sh', '-ec', FIRST_PROCESS, 'sh', groups], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      for await (const line of createInterface({ input: first.stdout }))
        if (line === 'ready') return new PrivateHost(first, await network.connect(first.pid!))
      throw new Error('a private host could not be made')
    } finally {
      await rmdir(groups)
    }
  }

  /** Of a process in its namespaces. */
  get pid(): number {
    return this.first.pid!
  }

  /** What runs a program there, in front of the program. It becomes the program, with its process id. */
  get enter(): readonly string[] {
    return ['nsenter', '--target', String(this.pid), '--net', '--mount']
  }

  /** Pulls the cable out: nothing arrives any more, and nobody is told. */
  async cut(): Promise<void> {
    await runProcess('ip', ['link', 'set', this.cable, 'down'])
  }

  async mend(): Promise<void> {
    await runProcess('ip', ['link', 'set', this.cable, 'up'])
  }

  /** What was started there must have ended. */
  async close(): Promise<void> {
    // The kernel removes the namespace, and the cable with it, some time after its last process.
    await runProcess('ip', ['link', 'delete', this.cable])
    const gone = once(this.first, 'exit')
    this.first.stdin?.end()
    await gone
  }
}
