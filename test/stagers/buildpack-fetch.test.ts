import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.js'
import { until } from '../support/until.js'

const FETCH = path.resolve(import.meta.dirname, '../../stagers/buildpack/fetch.sh')

// What stager.sh has of these, in as few words as possible.
const SCRIPT = `set -euo pipefail
say() { echo "$*"; }
fail() { echo "$*"; exit 1; }
_stager_own() { mkdir -p "$1"; }
source "$1"
fetch_buildpack "$2" "$3"`

let root: string
let web: Server
let git: ChildProcess
let gitUrl: string
let count = 0

const webUrl = () => `http://127.0.0.1:${(web.address() as AddressInfo).port}`

async function fetchTo(url: string) {
  const directory = path.join(root, `fetched-${(count += 1)}`)
  const { exitCode, all } = await execa('bash', ['--norc', '-c', SCRIPT, 'bash', FETCH, url, directory], {
    ...{ reject: false, all: true },
    env: { STAGER_URL: 'http://x', no_proxy: '127.0.0.1' },
  })
  const text = await readFile(path.join(directory, 'bin/detect'), 'utf8').catch(() => undefined)
  return { exitCode, said: all, text }
}

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'stagerd-buildpack-'))
  const pack = path.join(root, 'served/pack')
  await mkdir(path.join(pack, 'bin'), { recursive: true })
  await writeFile(path.join(pack, 'bin/detect'), 'of main')
  await chmod(path.join(pack, 'bin/detect'), 0o755)
  const run = (...args: readonly string[]) =>
    execa('git', ['-C', pack, '-c', 'user.name=x', '-c', 'user.email=x@example.org', ...args])
  await run('init', '--quiet', '--initial-branch=main')
  await run('add', '.')
  await run('commit', '--quiet', '-m', 'one')
  await run('checkout', '--quiet', '-b', 'v4')
  await writeFile(path.join(pack, 'bin/detect'), 'of v4')
  await run('commit', '--quiet', '-a', '-m', 'two')
  await run('checkout', '--quiet', 'main')
  await execa('tar', ['-czf', path.join(root, 'pack.tgz'), '-C', path.join(root, 'served'), '--exclude=.git', 'pack'])

  web = createServer((request, response) => {
    if (request.url === '/pack.tgz') void readFile(path.join(root, 'pack.tgz')).then((data) => response.end(data))
    else if (request.url === '/file.tgz') response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    else if (request.url === '/text.tgz') response.end('no archive')
    else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(web, 'listening')
  const port = await freePort()
  const served = path.join(root, 'served')
  const options = ['--listen=127.0.0.1', `--port=${port}`, `--base-path=${served}`, '--export-all']
  git = spawn('git', ['daemon', ...options, served], { stdio: 'ignore', detached: true })
  gitUrl = `git://127.0.0.1:${port}/pack`
  await until('git serves', async () => (await execa('git', ['ls-remote', gitUrl], { reject: false })).exitCode === 0)
})

afterAll(async () => {
  // Git has a process of its own for the service.
  process.kill(-git.pid!, 'SIGTERM')
  web.close()
  await rm(root, { recursive: true })
})

describe('a buildpack that is named by URL', () => {
  it('is a tarball, whose only directory is left out', async () => {
    expect(await fetchTo(`${webUrl()}/pack.tgz`)).toMatchObject({ exitCode: 0, text: 'of main' })
  })

  it('is a repository of Git, or a branch of it', async () => {
    expect(await fetchTo(gitUrl)).toMatchObject({ exitCode: 0, text: 'of main' })
    expect(await fetchTo(`${gitUrl}#v4`)).toMatchObject({ exitCode: 0, text: 'of v4' })
  })

  it.each([
    ['file:///etc', 'has no URL that can be fetched'],
    ['ssh://git@example.org/x', 'has no URL that can be fetched'],
    ['ext::sh -c id', 'has no URL that can be fetched'],
    ['https://user:secret@example.org/x', 'has credentials'],
    ['git://127.0.0.1:1/x#--upload-pack=id', 'is not the name of a branch'],
    ['git://127.0.0.1:1/x', 'cannot be fetched'],
  ])('is refused: %s', async (url, why) => {
    const { exitCode, said } = await fetchTo(url)
    expect([exitCode, said]).toEqual([1, expect.stringContaining(why)])
    expect(said).not.toContain('secret')
  })

  it.each([
    ['/absent.tgz', 'cannot be fetched'],
    ['/file.tgz', 'cannot be fetched'],
    ['/text.tgz', 'is no tarball'],
  ])('is refused where the server answers otherwise: %s', async (url, why) => {
    expect(await fetchTo(`${webUrl()}${url}`)).toMatchObject({
      exitCode: 1,
      said: expect.stringContaining(why) as string,
    })
  })
})
