import { execa } from 'execa'

/**
 * @param digest SHA-256 of the file, in hexadecimal
 * @returns milliseconds
 */
export async function upload(url: string, file: string, digest: string): Promise<number> {
  return await timed(() => execa('curl', [...QUIET, '-X', 'POST', '-T', file, `${url}/data?sha256=${digest}`]))
}

/** @returns milliseconds */
export async function download(url: string): Promise<number> {
  return await timed(() => execa('curl', [...QUIET, '-o', '/dev/null', url]))
}

/**
 * PUTs a file, and computes the digest of the stored file.
 *
 * @returns milliseconds
 */
export async function putAndDigest(url: string, file: string, storedFile: string): Promise<number> {
  return await timed(async () => {
    await execa('curl', [...QUIET, '-T', file, url])
    await execa('sha256sum', [storedFile])
  })
}

const QUIET = ['--silent', '--show-error', '--fail', '--noproxy', '*']

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}
