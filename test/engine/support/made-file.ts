import { createWriteStream } from 'node:fs'
import { open, rename, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { parseManifest } from '../../../daemon/exchange/manifest.js'
import { readExchangeFile } from '../../../daemon/exchange/zip-reader.js'

/**
 * A file of `stagectl bootstrap --to` with Debian, build-essential, Ruby and Python, but without Git. ./scripts/test has
 * one of what the demo has made.
 */
export const MADE = process.env.STAGERD_TEST_BOOTSTRAPPED

/** The data of a package in such a file, as a file beside it. The first process that asks writes that. */
export async function madeTarball(made: string, name: string): Promise<string> {
  const tarball = `${made}.${name}.tar.gz`
  const [writtenAt, madeAt] = await Promise.all([changedAt(tarball), changedAt(made)])
  if (writtenAt !== undefined && madeAt !== undefined && writtenAt >= madeAt) return tarball
  const file = await open(made)
  try {
    const { manifest = '', resources } = await readExchangeFile(file, (await file.stat()).size)
    const found = parseManifest(manifest).packages.find(({ fqn }) => fqn.endsWith(`::${name}`))
    const resource = resources.get(found?.resource.file ?? '')
    if (!resource) throw new Error(`${made} has no data of a package ${name}`)
    const written = `${tarball}.${process.pid}`
    await pipeline(await resource.open(), createWriteStream(written))
    await rename(written, tarball)
  } finally {
    await file.close()
  }
  return tarball
}

async function changedAt(file: string): Promise<number | undefined> {
  return await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )
}
