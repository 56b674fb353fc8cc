import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { execa } from 'execa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { directoryOf, scratch } from '../support/small-trees.js'
import { LIBRARY } from '../support/stager-library.js'

/** Runs a stager in bash. Tells for each request of it what its cache held then. */
async function run(script: string): Promise<{ path: string; kept: string[] }[]> {
  const [root, cache] = [await directoryOf({ 'app/server.js': 'server', 'tmp/npm/a': 'a' }), await scratch()]
  const requests: { path: string; kept: string[] }[] = []
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      void readdir(cache).then((kept) => {
        requests.push({ path: request.url!.split('?')[0]!, kept })
        response.end()
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await execa('bash', ['--norc', '-c', `source "$1/stager.sh"; root=$2; ${script}`, 'bash', LIBRARY, root], {
    env: { STAGER_URL: url, STAGER_CACHE: cache },
    reject: false,
  })
  return requests
}

const archive = expect.stringMatching(/^npm-[0-9a-f]{64}-[0-9a-f]{64}$/) as string

describe('what a stager keeps meanwhile', () => {
  it('is there before its verdict', async () => {
    const requests = await run('keep_meanwhile npm key "$root/tmp/npm"; put_data "$root" app; finish')
    expect(requests.map(({ path }) => path)).toEqual(['/data', '/done'])
    expect(requests.at(-1)?.kept).toEqual([archive])
  })

  it.each([
    ['without an upload', 'relaunch', '/relaunch'],
    ['when it fails', 'fail "The registry does not answer."', '/failed'],
  ])('is there %s', async (_, end, path) => {
    expect(await run(`keep_meanwhile npm key "$root/tmp/npm"; ${end}`)).toEqual([{ path, kept: [archive] }])
  })

  it('does not hold up the stager, but is said, when it cannot be kept', async () => {
    const requests = await run('keep_meanwhile npm key "$root/missing"; put_data "$root" app; finish')
    expect(requests.at(-1)).toEqual({ path: '/done', kept: [] })
  })
})
