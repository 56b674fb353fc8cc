import { randomBytes } from 'node:crypto'
import { copyFile, open } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { BenchHost } from './host.js'

export interface Tarball {
  readonly path: string
  /** SHA-256, in hexadecimal. */
  readonly digest: string
}

/** Of files of 1 MiB that cannot be compressed any further, so that the tarball is as long as they are together. */
export async function makeTarball(host: BenchHost, name: string, mebibytes: number): Promise<Tarball> {
  const path = join(host.work, name)
  await execa('sh', ['-ec', TARBALL, 'sh', join(host.work, 'content'), path, String(mebibytes)])
  return { path, digest: await sha256Of(path) }
}

const TARBALL = `mkdir -p "$1/opt/data"
head -c "$3M" /dev/urandom | split -b 1M -a 4 - "$1/opt/data/f"
tar -c -C "$1" opt | igzip -1 -c >"$2"
rm -rf "$1"`

/**
 * The same content with another digest, in the same file: the time in its gzip header is another one. Who sent the same
 * again would measure something else than the work, since it is there already.
 */
export async function altered({ path }: Pick<Tarball, 'path'>): Promise<Tarball> {
  const file = await open(path, 'r+')
  await file.write(randomBytes(4), 0, 4, 4)
  await file.close()
  return { path, digest: await sha256Of(path) }
}

/** The same content with another digest, in a file of its own beside it. */
export async function alteredCopy({ path }: Tarball, suffix: string): Promise<Tarball> {
  const copy = `${path}.${suffix}`
  await copyFile(path, copy)
  return await altered({ path: copy })
}

/**
 * Nothing is left to be written of what came before: otherwise whoever calls fsync next pays for it, for what another has
 * written and not synced, and for the trimming of what was removed where the file system discards.
 */
export async function settled(): Promise<void> {
  await execa('sync')
}

async function sha256Of(path: string): Promise<string> {
  return (await execa('sha256sum', [path])).stdout.slice(0, 64)
}
