import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ON_DISK } from './on-disk.js'

/** A scratch directory whose overlays are unmounted before it is removed. */
export class OverlayScratch {
  readonly root = mkdtempSync(join(ON_DISK, 'stagerd-test-'))
  readonly #mounted: string[] = []
  #count = 0

  path(name: string): string {
    return join(this.root, name)
  }

  /** Mounts an overlay of `lower` (topmost first) like Docker, but without devices: a test can make some in it. */
  mount(
    lower: readonly string[],
    { redirects = 'off' }: { readonly redirects?: 'on' | 'off' } = {},
  ): { merged: string; upper: string } {
    const base = this.path(`overlay-${this.#count++}`)
    const [upper, work, merged] = ['upper', 'work', 'merged'].map((name) => join(base, name)) as [
      string,
      string,
      string,
    ]
    for (const directory of [upper, work, merged]) mkdirSync(directory, { recursive: true })
    // overlayfs requires an upper directory when there is only one lower directory, even for reading.
    const options = `lowerdir=${lower.join(':')},upperdir=${upper},workdir=${work},nodev,index=off,redirect_dir=${redirects},metacopy=off`
    execFileSync('mount', ['-t', 'overlay', 'stagerd-test', '-o', options, merged], {
      // As in isolation/host/mounts.ts.
      env: { ...process.env, LIBMOUNT_FORCE_MOUNT2: 'always' },
    })
    this.#mounted.push(merged)
    return { merged, upper }
  }

  unmount(): void {
    for (const merged of this.#mounted.splice(0).reverse()) execFileSync('umount', [merged])
  }

  remove(): void {
    this.unmount()
    execFileSync('rm', ['-rf', '--one-file-system', '--', this.root])
    rmSync(this.root, { recursive: true, force: true })
  }
}
