import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { execa } from 'execa'

const BUILD = path.resolve(import.meta.dirname, '../../../images/build')

let cache: string

beforeEach(async () => {
  cache = await mkdtemp(path.join(tmpdir(), 'stagerd-images-'))
})

afterEach(async () => {
  await rm(cache, { recursive: true })
})

async function build(...args: string[]): Promise<string> {
  const { stdout } = await execa(BUILD, args, { env: { STAGERD_IMAGE_CACHE: cache } })
  return stdout
}

async function contents(tarball: string): Promise<string> {
  return (await execa('tar', ['--list', '--verbose', '--numeric-owner', '--gzip', '--file', tarball])).stdout
}

test('busybox is a root with a shell and a home directory for the user runner', async () => {
  const list = await contents(await build('busybox'))
  expect(list).toMatch(/^-rwxr-xr-x 0\/0 .* bin\/busybox$/m)
  expect(list).toMatch(/^lrwxrwxrwx 0\/0 .* bin\/sh -> \/bin\/busybox$/m)
  expect(list).toMatch(/^drwxr-xr-x 99\/99 .* app\/$/m)
  expect(list).toMatch(/^drwxrwxrwt 0\/0 .* tmp\/$/m)
})

test('a package allows all entries', async () => {
  const list = await contents(await build('busybox'))
  expect(list).not.toMatch(/^[bcps]/m)
  expect(list).not.toMatch(/ \.\//)
})

test('the cache avoids a second build', async () => {
  const first = await build('busybox')
  const { mtimeMs, ino } = await stat(first)
  const second = await build('busybox')
  expect(second).toBe(first)
  expect(await stat(second)).toMatchObject({ mtimeMs, ino })
})

test('the same inputs give the same bytes', async () => {
  const output = path.join(cache, 'first.tar.gz')
  await build('busybox', '--output', output)
  const again = await build('busybox', '--rebuild')
  await expect(execa('cmp', [output, again])).resolves.toMatchObject({ exitCode: 0 })
})

test('two concurrent builds give one complete tarball', async () => {
  const [one, other] = await Promise.all([build('busybox'), build('busybox')])
  expect(one).toBe(other)
  expect((await readdir(cache)).filter((name) => name.endsWith('.tar.gz'))).toEqual([path.basename(one)])
})

test('an unknown name is rejected with the list of recipes', async () => {
  await expect(build('solaris')).rejects.toThrow(/no recipe 'solaris': choose one of busybox debian-12 node/)
})
