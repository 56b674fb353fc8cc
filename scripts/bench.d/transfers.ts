import { execa } from 'execa'

/** @returns milliseconds; `digest` of the file, in hexadecimal */
export async function upload(url: string, file: string, digest: string): Promise<number> {
  return await timed(() => execa('curl', [...QUIET, '-X', 'POST', '-T', file, `${url}/data?sha256=${digest}`]))
}

/** @returns milliseconds */
export async function download(url: string): Promise<number> {
  return await timed(() => execa('curl', [...QUIET, '-o', '/dev/null', url]))
}

/** The file put, and its digest taken where it arrived. @returns milliseconds */
export async function putAndDigest(url: string, file: string, arrived: string): Promise<number> {
  return await timed(async () => {
    await execa('curl', [...QUIET, '-T', file, url])
    await execa('sha256sum', [arrived])
  })
}

const QUIET = ['--silent', '--show-error', '--fail', '--noproxy', '*']

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}
