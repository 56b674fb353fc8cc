import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { CHECKOUT, type PrivateDaemon } from './private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from './tarballs.js'

/** What a staging depends on, beyond the daemon. */
export interface Inputs {
  readonly index: string
  readonly lock: string
  /** Of the package. */
  readonly mode: string | undefined
}

/** What users get of a package. */
export interface Staged {
  readonly state: string
  readonly digest: string | undefined
  readonly metadata: Pick<Package, 'dependencies' | 'provides' | 'environment' | 'templates'>
}

/**
 * Reproducible stagers that keep what they install (test/fixtures/stagers/keeping.sh), and stagings with them: of one
 * package again and again, and of a package that has never been there before.
 */
export class KeepingStagers {
  #packages = 0
  #submitted = 0

  private constructor(private readonly daemon: PrivateDaemon) {}

  static async add(daemon: PrivateDaemon): Promise<KeepingStagers> {
    const fixture = new KeepingStagers(daemon)
    const file = (name: string) => path.join(daemon.directory, name)
    const script = (name: string) => readFile(path.join(CHECKOUT, 'test/fixtures/stagers', `${name}.sh`))
    await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
    for (const name of ['tool-a', 'tool-b'])
      await daemon.addPackage(await tarballOf(file('tool'), { 'opt/tool/version': name }), name, {
        provides: 'runtime.tool',
      })
    for (const mark of ['x', 'y']) {
      const program = await stagerTarball(file('program'), { keeping: await script('keeping'), mark })
      await daemon.addPackage(program, `program-${mark}`, { dependencies: 'os.linux' })
    }
    const stamp = await stagerTarball(file('stamp'), { stamp: await script('stamp') })
    await daemon.addPackage(stamp, 'program-stamp', { dependencies: 'os.linux' })
    await daemon.addStager({ name: 'keeping', package: 'package::/::program-x', start_command: './keeping' })
    await daemon.addStager({ name: 'stamp', package: 'package::/::program-stamp', start_command: './stamp' })
    await daemon.ask('POST', '/v1/policies', { namespace: '/', name: 'choice', text: policyFor('tool-a') })
    return fixture
  }

  async choose(tool: string, spaces = ''): Promise<void> {
    const policy = `/v1/policies/${encodeURIComponent('policydoc::/::choice')}`
    await this.daemon.ask('PUT', policy, { text: spaces + policyFor(tool) })
  }

  async giveVersion(tool: string, version: string): Promise<void> {
    const tarball = await tarballOf(path.join(this.daemon.directory, 'tool'), { 'opt/tool/version': version })
    const { sha256 } = await this.daemon.upload(tarball)
    await this.daemon.ask('PUT', `${urlOf(tool)}/resource`, { resource: sha256, state: 'ready' })
  }

  async giveProgram(mark: string): Promise<void> {
    const stager = `/v1/stagers/${encodeURIComponent('job::/::keeping')}`
    await this.daemon.ask('PATCH', stager, { package: `package::/::program-${mark}` })
  }

  /** Whether the pipeline has the second stager too. */
  async stamp(on: boolean): Promise<void> {
    const pipeline = `/v1/stagingpipelines/${encodeURIComponent('stagpipe::/::keeping')}`
    const { stagers } = await this.daemon.ask<{ stagers: unknown[] }>('GET', pipeline)
    const stager = 'job::/::stamp'
    if (on && stagers.length === 1) await this.daemon.ask('PATCH', pipeline, { append: [stager] })
    if (!on && stagers.length === 2) await this.daemon.ask('PATCH', pipeline, { remove: { stager } })
  }

  async newPackage({ mode }: Pick<Inputs, 'mode'> = { mode: undefined }): Promise<string> {
    const name = `app-${++this.#packages}`
    const tarball = await tarballOf(path.join(this.daemon.directory, `empty-${this.#packages}`), { none: '' })
    const environment = mode === undefined ? {} : { MODE: mode }
    await this.daemon.addPackage(tarball, name, { state: 'uploaded', dependencies: 'runtime.tool', environment })
    return name
  }

  async submit(
    name: string,
    { index, lock, mode }: Inputs,
    options: { readonly reuse?: false } = {},
  ): Promise<Staging> {
    const found = await this.daemon.ask<Package>('GET', urlOf(name))
    if (found.environment.MODE !== mode)
      await this.daemon.ask('PATCH', urlOf(name), {
        ...(mode === undefined ? { environment_unset: ['MODE'] } : { environment_set: { MODE: mode } }),
      })
    const tarball = await tarballOf(path.join(this.daemon.directory, `source-${++this.#submitted}`), {
      'index.html': index,
      lock,
    })
    const { sha256 } = await this.daemon.upload(tarball)
    return await this.daemon.ask<Staging>('POST', '/v1/stagings', {
      package: `package::/::${name}`,
      pipeline: 'stagpipe::/::keeping',
      source: { resource: sha256 },
      ...options,
    })
  }

  /** What a package is that nobody has staged before, without reuse: so it has no cache either. */
  async fresh(inputs: Inputs): Promise<Staged> {
    const name = await this.newPackage(inputs)
    const { uuid } = await this.submit(name, inputs, { reuse: false })
    await this.daemon.ended(uuid)
    const staged = await this.staged(name)
    await this.daemon.ask('DELETE', urlOf(name))
    return staged
  }

  async staged(name: string): Promise<Staged> {
    const { state, resource, dependencies, provides, environment, templates } = await this.daemon.ask<Package>(
      'GET',
      urlOf(name),
    )
    return { state, digest: resource?.digest, metadata: { dependencies, provides, environment, templates } }
  }
}

function urlOf(name: string): string {
  return `/v1/packages/${encodeURIComponent(`package::/::${name}`)}`
}

function policyFor(tool: string): string {
  return `on job::/ { if (dependency equals runtime.tool) { package.default "package::/::${tool}" } }`
}
