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

/** Creates a tarball of incompressible files of 1 MiB, so that its size is the total of their sizes. */
export async function createTarball(host: BenchHost, name: string, mebibytes: number): Promise<Tarball> {
  const path = join(host.work, name)
  await execa('sh', ['-ec', TARBALL, 'sh', join(host.work, 'content'), path, String(mebibytes)])
  return { path, digest: await sha256OfFile(path) }
}

const TARBALL = `mkdir -p "$1/opt/data"
head -c "$3M" /dev/urandom | split -b 1M -a 4 - "$1/opt/data/f"
tar -c -C "$1" opt | igzip -1 -c >"$2"
rm -rf "$1"`

/**
 * Changes the timestamp in the gzip header, and with it the digest, but not the content. Uploading the same digest
 * again would measure a lookup, because the blob exists already.
 */
export async function changeDigest({ path }: Pick<Tarball, 'path'>): Promise<Tarball> {
  const file = await open(path, 'r+')
  await file.write(randomBytes(4), 0, 4, 4)
  await file.close()
  return { path, digest: await sha256OfFile(path) }
}

/** Copies a tarball to a file with the same content and another digest. */
export async function copyWithNewDigest({ path }: Tarball, suffix: string): Promise<Tarball> {
  const copy = `${path}.${suffix}`
  await copyFile(path, copy)
  return await changeDigest({ path: copy })
}

/**
 * Writes all dirty pages to the disks. Otherwise the next fsync would also wait for unsynced files of an earlier task
 * and, where the filesystem is mounted with `discard`, for the trimming of freed blocks.
 */
export async function syncDisks(): Promise<void> {
  await execa('sync')
}

async function sha256OfFile(path: string): Promise<string> {
  return (await execa('sha256sum', [path])).stdout.slice(0, 64)
}
