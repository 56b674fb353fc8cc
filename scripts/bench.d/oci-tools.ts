import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

/**
 * Makes the same changes to the same root with buildah and umoci, in a storage of their own.
 *
 * LIFECYCLE: `prepare`, then `end` in every case.
 */
export class OciTools {
  readonly #directory: string
  #turn = 0

  constructor(work: string) {
    this.#directory = join(work, 'oci')
  }

  /** @param script makes the changes, run by the shell of the root */
  async prepare(tarball: string, script: string): Promise<void> {
    await mkdir(this.#directory)
    await this.#buildah('from', '--name', 'base', 'scratch')
    await this.#buildah('add', '--quiet', 'base', tarball, '/')
    await this.#buildah('commit', '--quiet', 'base', 'bench-base')
    await this.#buildah('rm', 'base')
    await this.#buildah('push', '--quiet', 'bench-base', `oci:${this.#image('umoci', 'base')}`)
    await this.#buildah('from', '--name', 'work', 'localhost/bench-base')
    const root = await this.#buildah('mount', 'work')
    await execa('chroot', [root, '/bin/sh', '-ec', script])
    await execa('umoci', ['unpack', '--image', this.#image('umoci', 'base'), this.#path('bundle')])
    await execa('chroot', [this.#path('bundle/rootfs'), '/bin/sh', '-ec', script])
  }

  /** @returns milliseconds */
  async buildahCommit(): Promise<number> {
    // buildah caches compressed layers, so each commit needs different content.
    await writeFile(join(await this.#buildah('mount', 'work'), 'srv/turn'), String(this.#turn++))
    const began = performance.now()
    await this.#buildah('commit', '--quiet', 'work', `oci:${this.#image('buildah', 'changed')}`)
    return performance.now() - began
  }

  /** @returns milliseconds */
  async umociRepack(): Promise<number> {
    const tag = `changed-${this.#turn++}`
    const began = performance.now()
    await execa('umoci', ['repack', '--image', this.#image('umoci', tag), this.#path('bundle')])
    return performance.now() - began
  }

  async end(): Promise<void> {
    await this.#buildah('rm', '--all').catch(() => undefined)
    await this.#buildah('rmi', '--all', '--force').catch(() => undefined)
    // buildah bind-mounts its storage onto itself.
    await execa('umount', [this.#path('storage/overlay')], { reject: false })
    await rm(this.#directory, { recursive: true, force: true })
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }

  #image(layout: string, tag: string): string {
    return `${this.#path(layout)}:${tag}`
  }

  async #buildah(...args: readonly string[]): Promise<string> {
    const storage = ['--root', this.#path('storage'), '--runroot', this.#path('run'), '--storage-driver', 'overlay']
    return (await execa('buildah', [...storage, ...args])).stdout
  }
}
