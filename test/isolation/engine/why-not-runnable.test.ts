import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RootTree } from '../../../isolation/engine/root-tree.js'
import { whyNotRunnable } from '../../../isolation/engine/why-not-runnable.js'

const RUNNER = { uid: 99, gids: new Set([99]), overrides: false }

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stagerd-root-'))
  await chmod(root, 0o755)
  // A static program for this processor, as far as its header goes.
  await file('/bin/sh', elf({ machine: 62 }))
  await file('/usr/bin/env', elf({ machine: 62 }))
})
afterEach(() => rm(root, { recursive: true }))

async function file(path: string, content: string | Buffer, mode = 0o755): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), content)
  await chmod(join(root, path), mode)
}

/** The head of an ELF program of 64 bits. */
function elf({ machine, loader }: { readonly machine: number; readonly loader?: string }): Buffer {
  const head = Buffer.alloc(64 + 56)
  head.write('\x7fELF\x02\x01\x01', 'latin1')
  head.writeUInt16LE(machine, 18)
  head.writeBigUInt64LE(64n, 32)
  head.writeUInt16LE(56, 54)
  head.writeUInt16LE(loader === undefined ? 0 : 1, 56)
  if (loader === undefined) return head
  head.writeUInt32LE(3, 64)
  head.writeBigUInt64LE(120n, 64 + 8)
  head.writeBigUInt64LE(BigInt(loader.length + 1), 64 + 32)
  return Buffer.concat([head, Buffer.from(`${loader}\0`)])
}

const why = async (
  command: string,
  { identity = RUNNER, made = false, processor = 'x64', PATH = '/usr/bin:/bin' } = {},
) => {
  const plan = { command, workingDirectory: '/app', environment: { PATH }, user: 'runner' }
  return await whyNotRunnable(new RootTree(root, identity), plan, () => Promise.resolve(made), processor)
}

const reason = async (...args: Parameters<typeof why>) => (await why(...args))?.reason

describe('a program that can run', () => {
  it.each<[string, string | Buffer]>([
    ['a script', '#!/bin/sh\nexit 127\n'],
    ['a script with an interpreter by name', '#!/usr/bin/env sh\n'],
    ['a script without a first line of its own', 'exit 126\n'],
    ['a script of which one line ends in CR', '#!/bin/sh\necho a\r\necho b\n'],
    ['a program for this processor', elf({ machine: 62 })],
    ['an empty file', ''],
  ])('meets no obstacle: %s', async (_, content) => {
    await file('/app/stager', content)
    for (const command of ['./stager', '/app/stager', 'cd / && exec app/stager', 'sh ./stager'])
      expect(await reason(command)).toBeUndefined()
  })

  it('is found through links, which stay within the root', async () => {
    await file('/opt/v2/stager', '#!/bin/sh\n')
    await mkdir(join(root, 'app'))
    await symlink('/opt/current/stager', join(root, 'app/stager'))
    await symlink('../../../../opt/v2', join(root, 'opt/current'))
    expect(await reason('./stager')).toBeUndefined()
  })

  it('is found in PATH', async () => {
    await file('/usr/bin/stager', '#!/bin/sh\n')
    await mkdir(join(root, 'app'))
    expect(await reason('stager --now')).toBeUndefined()
  })

  it('is not looked for in the files of the kernel', async () => {
    await mkdir(join(root, 'app'))
    expect(await reason('/proc/self/exe')).toBeUndefined()
  })

  it('needs one exec bit only for root', async () => {
    await file('/app/stager', '#!/bin/sh\n', 0o100)
    expect(await reason('./stager', { identity: { uid: 0, gids: new Set([0]), overrides: true } })).toBeUndefined()
    expect(await reason('./stager')).toContain('exec bit')
  })

  it('can have 32 bits', async () => {
    await file('/app/stager', elf({ machine: 3 }))
    expect(await reason('./stager')).toBeUndefined()
  })

  it('can be for another processor where the host has an emulator', async () => {
    await file('/app/stager', elf({ machine: 183 }))
    expect(await reason('./stager', { processor: 'any' })).toBeUndefined()
  })
})

describe('a program that cannot run', () => {
  it.each<[string, string | Buffer | undefined, RegExp]>([
    ['it is not there', undefined, /^there is no \/app\/stager in its root$/],
    [
      'its interpreter is not there',
      '#!/usr/bin/ruby -w\n',
      /no \/usr\/bin\/ruby, the interpreter in the first line of/,
    ],
    ['its interpreter by name is not there', '#!/usr/bin/env ruby\n', /no directory of PATH has ruby, the interpreter/],
    [
      'its first line ends in CR LF',
      '#!/bin/sh\r\nexit 0\r\n',
      /CR LF, so the interpreter "\/bin\/sh\\r" is looked for/,
    ],
    ['the same by name', '#!/usr/bin/env sh\r\nexit 0\r\n', /CR LF, so the interpreter "sh\\r" is looked for/],
    ['all its lines end in CR LF', 'set -e\r\nexit 0\r\n', /the lines of \/app\/stager end in CR LF/],
    ['it is for another processor', elf({ machine: 183 }), /another processor \(arm64\), and this host is amd64/],
    ['it is for another one, of 32 bits', elf({ machine: 40 }), /another processor \(arm\), and this host is amd64/],
    ['it is for macOS', Buffer.from('cffaedfe07000001', 'hex'), /a program for macOS, not for Linux/],
    ['it is for Windows', 'MZ\x90\x00', /a program for Windows, not for Linux/],
    [
      'its loader is not there',
      elf({ machine: 62, loader: '/lib/ld-x.so' }),
      /no \/lib\/ld-x.so, the dynamic loader of/,
    ],
  ])('because %s', async (_, content, expected) => {
    await mkdir(join(root, 'app'))
    if (content !== undefined) await file('/app/stager', content)
    const found = await why('exec ./stager --all')
    expect(found?.reason).toMatch(expected)
    expect(found?.exitCodes.has(127)).toBe(true)
    expect(found?.exitCodes.has(0)).toBe(false)
  })

  it('because it lost its exec bit', async () => {
    await file('/app/stager', '#!/bin/sh\n', 0o644)
    expect(await reason('./stager')).toMatch(/\/app\/stager has the mode 0644, .* user runner .* chmod \+x/)
  })

  it('because the interpreter of its interpreter lost the exec bit', async () => {
    await file('/app/stager', '#!/opt/run\n')
    await file('/opt/run', '#!/opt/real\n')
    await file('/opt/real', elf({ machine: 62 }), 0o644)
    expect(await reason('./stager')).toMatch(/\/opt\/real has the mode 0644.*\(the interpreter of \/opt\/run\)/)
  })

  it('because it is a link to nothing', async () => {
    await mkdir(join(root, 'app'))
    await symlink('/opt/stager', join(root, 'app/stager'))
    expect(await reason('./stager')).toBe('there is no /opt/stager in its root, to which /app/stager leads')
  })

  it('because it is a directory', async () => {
    await mkdir(join(root, 'app/stager'), { recursive: true })
    expect(await reason('./stager')).toBe('/app/stager is a directory')
  })

  it('because its user may not enter a directory', async () => {
    await file('/app/bin/stager', '#!/bin/sh\n')
    await chmod(join(root, 'app/bin'), 0o700)
    expect(await reason('bin/stager')).toBe('user runner may not enter /app/bin')
  })

  it('because the Engine had to make its working directory', async () => {
    await mkdir(join(root, 'app'))
    expect(await reason('./stager', { made: true })).toMatch(/its root lacks the working directory \/app$/)
  })

  it('because the directory of its start command is missing', async () => {
    expect(await reason('cd /srv && ./stager')).toBe('there is no directory /srv in its root')
  })

  it('because PATH has no such program', async () => {
    await mkdir(join(root, 'app'))
    expect(await reason('stager')).toBe('no directory of PATH has a program stager')
  })

  it('because the shell of the root is for another processor', async () => {
    await file('/bin/sh', elf({ machine: 183 }))
    expect(await reason('./stager')).toMatch(/the shell of its root cannot run, for \/bin\/sh is a program for another/)
  })

  it.each([
    ['sh ./start.sh', /no \/app\/start.sh/],
    ['sh -eu ./start.sh', /no \/app\/start.sh/],
    ['python3 start.py', /no \/app\/start.py/],
  ])('because there is no script: %s', async (command, expected) => {
    await mkdir(join(root, 'app'))
    await file('/usr/bin/python3', elf({ machine: 62 }))
    expect(await reason(command)).toMatch(expected)
  })
})

it('a shell of BusyBox finds its commands without a file', async () => {
  await mkdir(join(root, 'app'))
  await rm(join(root, 'bin/sh'))
  await file('/bin/busybox', elf({ machine: 62 }))
  await symlink('busybox', join(root, 'bin/sh'))
  expect(await reason('wget http://x')).toBeUndefined()
  expect(await reason('./wget')).toBeDefined()
})

it('the exit codes are those of a real shell', async () => {
  await mkdir(join(root, 'app'))
  for (const [path, content, mode] of [
    ['/app/noexec', '#!/bin/sh\n', 0o644],
    ['/app/crlf', '#!/bin/sh\r\n', 0o755],
    ['/app/orphan', '#!/opt/none\n', 0o755],
    ['/app/foreign', Buffer.concat([elf({ machine: 183 }), Buffer.from("'(")]), 0o755],
  ] as const)
    await file(path, content, mode)
  for (const name of ['none', 'noexec', 'crlf', 'orphan', 'foreign']) {
    // The same obstacle outside of the root.
    const { status } = spawnSync('/bin/sh', ['-c', `./${name}`], { cwd: join(root, 'app') })
    const whole = { identity: { uid: 0, gids: new Set([0]), overrides: true } }
    const found = await why(`./${name}`, name === 'noexec' ? {} : whole)
    expect(found?.exitCodes.has(status ?? -1), `${name}: ${status}`).toBe(true)
  }
})
