import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import type { StagerDraft } from '../../../daemon/documents/stager.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { perlTarball } from '../../engine/support/perl-root.js'
import { removeImages } from '../../engine/support/leftovers.js'
import { PrivateDaemon } from '../../engine/support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../../engine/support/tarballs.js'
import { describeTree } from '../../support/trees.js'
import { differences } from '../support/canary.js'
import { Neighbour } from '../support/neighbour.js'
import { figures, type Figures } from '../support/promises.js'

const SETTINGS_OF_KERNEL = [
  'kernel/hostname',
  'kernel/core_pattern',
  'kernel/modprobe',
  'net/ipv4/ip_forward',
  'vm/panic_on_oom',
  'vm/swappiness',
]

/** What a stager is after on its host: a file, a process, and two services that count who comes. */
class Targets {
  readonly #service: Server
  readonly #abstract: Server
  readonly #name = `stagerd-canary-${randomBytes(8).toString('hex')}`
  readonly #victim: ChildProcess
  readonly #canary: string
  #knocks = 0

  constructor(directory: string) {
    this.#canary = path.join(directory, 'canary')
    mkdirSync(this.#canary)
    writeFileSync(path.join(this.#canary, 'passwd'), 'root:x:0:0:untouched\n')
    const knocked = (socket: { destroy: () => unknown }) => {
      this.#knocks += 1
      socket.destroy()
    }
    this.#service = createServer(knocked).listen(0, '0.0.0.0')
    this.#abstract = createServer(knocked).listen({ path: `\0${this.#name}` })
    this.#victim = spawn('sleep', ['1000'], { stdio: 'ignore', argv0: 'HOST_CANARY' })
  }

  async ready(): Promise<void> {
    for (const server of [this.#service, this.#abstract]) if (!server.listening) await once(server, 'listening')
  }

  /** What stagers are told of them. */
  get environment(): Readonly<Record<string, string>> {
    return {
      // Their root has no others.
      LC_ALL: 'C',
      HOST_FILE: path.join(this.#canary, 'passwd'),
      HOST_PORT: String((this.#service.address() as AddressInfo).port),
      HOST_ADDRESS: hostAddress(),
      HOST_ABSTRACT: this.#name,
      HOST_PID: String(this.#victim.pid),
    }
  }

  /** All that a stager must not change, in words. */
  look(): Record<string, string> {
    return {
      ...describeTree(this.#canary),
      ...Object.fromEntries(SETTINGS_OF_KERNEL.map((name) => [name, settingOfKernel(name)])),
      swaps: readFileSync('/proc/swaps', 'utf8'),
      process: this.#victim.exitCode === null && this.#victim.signalCode === null ? 'runs' : 'has ended',
      connections: String(this.#knocks),
    }
  }

  close(): void {
    this.#service.close()
    this.#abstract.close()
    this.#victim.kill()
  }
}

/** A node with programs in Perl for hostile stagers, and a neighbour who stages meanwhile. */
export class HostileNode {
  readonly ended: Staging[] = []
  #before: Readonly<Record<string, string>> = {}
  #layers: Readonly<Record<string, string>> = {}

  private constructor(
    readonly daemon: PrivateDaemon,
    readonly neighbour: Neighbour,
    private readonly targets: Targets,
    /** The digest of what is staged. */
    private readonly resource: string,
  ) {}

  /**
   * @param programs by path below /app
   * @param stagers with `programs` as their package; each is a pipeline, too
   */
  static async start(
    programs: Readonly<Record<string, string | Buffer>>,
    stagers: readonly Pick<StagerDraft, 'name' | 'start_command' | 'limits'>[],
  ): Promise<HostileNode> {
    const daemon = await PrivateDaemon.start(['--concurrency', '8'])
    const targets = new Targets(daemon.directory)
    await targets.ready()
    const file = (of: string) => path.join(daemon.directory, `${of}.tar.gz`)
    await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
    writeFileSync(file('perl'), await perlTarball())
    await daemon.addPackage(file('perl'), 'perl', { provides: 'package.perl' })
    const dependencies = 'os.linux package.perl'
    await daemon.addPackage(await stagerTarball(file('programs'), programs), 'programs', { dependencies })
    const { environment } = targets
    for (const stager of stagers)
      await daemon.addStager({ package: 'package::/::programs', user: 'root', environment, ...stager })
    const { sha256 } = await daemon.upload(await tarballOf(file('app'), { 'index.html': 'hello' }))
    return new HostileNode(daemon, await Neighbour.open(daemon, sha256), targets, sha256)
  }

  /** What is looked at before is what `check` and `checkLayers` compare with. */
  async begin(): Promise<void> {
    await this.neighbour.idle(3)
    this.#before = this.targets.look()
    this.#layers = this.#lookAtLayers()
    this.neighbour.start()
  }

  /** Stages a package of its own by this pipeline. Resolves after the end. @param deadlineMs by default that of `ended` */
  async staged(pipeline: string, deadlineMs?: number): Promise<{ readonly staging: Staging; readonly log: string }> {
    const name = `app-${pipeline}`
    // Its dependencies are what a stager finds below /stagerfs.
    const draft = { namespace: '/', name, resource: this.resource, dependencies: [{ type: 'os', name: 'linux' }] }
    await this.daemon.ask('POST', '/v1/packages', draft)
    const { uuid } = await this.daemon.submit(name, pipeline)
    const staging = await this.daemon.ended(uuid, deadlineMs)
    this.ended.push(staging)
    return { staging, log: await this.daemon.text(uuid) }
  }

  /** Counts a check that the host is as before. Throws if it is not. */
  check(what: string, recorder: Figures = figures): void {
    recorder.check('escape', what, differences(this.#before, this.targets.look()))
  }

  checkLayers(what: string, recorder: Figures = figures): void {
    recorder.check('escape', what, differences(this.#layers, this.#lookAtLayers()))
  }

  /** What a stager would have to do to be seen by `check`, and by `checkLayers`. */
  plant(): { readonly host: () => void; readonly layers: () => void } {
    const [file = ''] = Object.keys(this.#layers).filter((name) => name.endsWith('/busybox'))
    return {
      host: () => appendFileSync(this.targets.environment.HOST_FILE ?? '', 'evil\n'),
      layers: () => appendFileSync(path.join(this.daemon.stateDirectory, 'layers', file), 'evil\n'),
    }
  }

  async close(): Promise<void> {
    this.targets.close()
    await this.daemon.stop()
    await removeImages(this.daemon)
    await this.daemon.close()
  }

  /** Of the layers that were there before; they are shared with the neighbour. The time of a layer itself is that of its last use. */
  #lookAtLayers(): Record<string, string> {
    const all = Object.entries(describeTree(path.join(this.daemon.stateDirectory, 'layers')))
    const known = Object.keys(this.#layers)
    const isKnown = (name: string) => known.length === 0 || name in this.#layers
    return Object.fromEntries(
      all
        .filter(([name]) => isKnown(name))
        .map(([name, text]) => [name, name.includes('/') ? text : text.replace(/\d+$/, '')]),
    )
  }
}

/** Not every kernel has every setting. */
function settingOfKernel(name: string): string {
  const file = `/proc/sys/${name}`
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : 'none'
}

function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flat()
  return all.find((address) => address?.family === 'IPv4' && !address.internal)?.address ?? '127.0.0.1'
}
