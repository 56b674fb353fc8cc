import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { packDirectory } from '../../cli/pack/pack-directory.js'
import { names, readTar, type TarEntry } from './support/read-tar.js'
import { makeWorkspace, writeTree, type Tree } from './support/workspace.js'

let root: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ root, remove } = await makeWorkspace())
})
afterEach(() => remove())

async function pack(directory: string, prefix = ''): Promise<{ entries: TarEntry[]; sha256: string; bytes: Buffer }> {
  const signal = new AbortController().signal
  const tarball = await packDirectory({ directory, prefix, env: { TMPDIR: root }, signal })
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of tarball.read()) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    expect(bytes.length).toBe(tarball.length)
    return { entries: await readTar([bytes]), sha256: tarball.sha256, bytes }
  } finally {
    await tarball.dispose()
  }
}

const packed = async (tree: Tree) => names((await pack(await writeTree(path.join(root, 'app'), tree))).entries)

describe('the packed entries', () => {
  test('are sorted, parents first; symbolic links keep their targets, wherever they point', async () => {
    const app = await writeTree(path.join(root, 'app'), {
      'b.txt': 'b',
      'a/z': 'z',
      'a/empty': null,
      link: '-> ../../etc/passwd',
      dangling: '-> nowhere',
    })
    const { entries } = await pack(app)
    expect(names(entries)).toEqual(['a/', 'a/empty/', 'a/z', 'b.txt', 'dangling', 'link'])
    expect(entries.find(({ header }) => header.name === 'link')?.header).toMatchObject({
      type: 'symlink',
      linkname: '../../etc/passwd',
    })
    expect(entries.map(({ text }) => text).join('')).toBe('zb')
  })

  test('exclude .git, unless .apcignore includes it', async () => {
    expect(await packed({ '.git/config': '', 'src/.git/config': '', 'src/a': '', '.gitignore': '' })).toEqual([
      '.gitignore',
      'src/',
      'src/a',
    ])
    expect(await packed({ '.apcignore': '!.git', '.git/config': '' })).toContain('.git/config')
  })

  test('follow .apcignore with the semantics of .gitignore', async () => {
    const tree = {
      '.apcignore': '# comment\nnode_modules/\n*.log\n!keep.log\n/top\n',
      'node_modules/x/index.js': '',
      'debug.log': '',
      'keep.log': '',
      'sub/debug.log': '',
      'sub/top': '',
      'sub/node_modules/y': '',
      top: '',
      'file/node_modules': 'a file, which the pattern for a directory does not match',
    }
    expect(await packed(tree)).toEqual(['.apcignore', 'file/', 'file/node_modules', 'keep.log', 'sub/', 'sub/top'])
  })

  test('follow the nearest .apcignore with a matching rule', async () => {
    const tree = {
      '.apcignore': '*.tmp\n',
      'a.tmp': '',
      'sub/.apcignore': '!b.tmp\nc\n',
      'sub/b.tmp': '',
      'sub/c': '',
      c: '',
    }
    expect(await packed(tree)).toEqual(['.apcignore', 'c', 'sub/', 'sub/.apcignore', 'sub/b.tmp'])
  })

  test('are below a prefix directory of runner when there is a prefix', async () => {
    const { entries } = await pack(await writeTree(path.join(root, 'stager'), { 'lib/x': '', stager: '' }), 'app')
    expect(entries[0]?.header).toMatchObject({ mode: 0o755, uid: 99, gid: 99 })
    expect(names(entries)).toEqual(['app/', 'app/lib/', 'app/lib/x', 'app/stager'])
  })

  test('may have names that do not fit a plain tar header', async () => {
    const long = `${'d'.repeat(120)}/${'f'.repeat(200)}`
    expect(await packed({ [long]: '', 'ünï cödé': '' })).toEqual([`${'d'.repeat(120)}/`, long, 'ünï cödé'])
  })
})

describe('the same tree', () => {
  const tree = { 'a.txt': 'a', 'run.sh': '#!/bin/sh' }

  test('gives the same bytes in any directory, with any umask and set-id bits', async () => {
    const one = await writeTree(path.join(root, 'one'), tree)
    const two = await writeTree(path.join(root, 'two'), tree)
    await chmod(path.join(one, 'run.sh'), 0o4755)
    await chmod(path.join(two, 'run.sh'), 0o755)
    const umask = process.umask(0o077)
    const first = await pack(one).finally(() => process.umask(umask))
    const second = await pack(two)
    expect(second.bytes.equals(first.bytes)).toBe(true)
    expect(first.sha256).toBe(createHash('sha256').update(first.bytes).digest('hex'))
    expect(first.entries.map(({ header }) => [header.name, header.mode, header.uid, header.gid, header.mtime])).toEqual(
      [
        ['a.txt', 0o644, 99, 99, new Date(1_700_000_000_000)],
        ['run.sh', 0o755, 99, 99, new Date(1_700_000_000_000)],
      ],
    )
  })
})

describe('packing fails', () => {
  test('for a FIFO', async () => {
    const app = await writeTree(path.join(root, 'app'), { 'a/b': '' })
    execFileSync('mkfifo', [path.join(app, 'a/pipe')])
    await expect(pack(app)).rejects.toThrow('"a/pipe" is not a file, directory or symbolic link')
  })

  test('for a name that is not UTF-8', async () => {
    const app = await writeTree(path.join(root, 'app'), { a: '' })
    const { writeFile } = await import('node:fs/promises')
    await writeFile(Buffer.concat([Buffer.from(`${app}/caf`), Buffer.from([0xe9])]), '')
    await expect(pack(app)).rejects.toThrow('is not UTF-8')
  })

  test('without any entry, and without a directory', async () => {
    await expect(pack(await writeTree(path.join(root, 'app'), { '.git/config': '' }))).rejects.toThrow(
      'nothing to pack',
    )
    await expect(pack(path.join(root, 'nowhere'))).rejects.toThrow('There is no directory')
  })

  test('or succeeds without a visible temporary file', async () => {
    const app = await writeTree(path.join(root, 'app'), { a: '' })
    const signal = new AbortController().signal
    const tarball = await packDirectory({ directory: app, prefix: '', env: { TMPDIR: root }, signal })
    expect(await readdir(root)).toEqual(['app'])
    await tarball.dispose()
    await expect(
      packDirectory({
        directory: app,
        prefix: '',
        env: { TMPDIR: root },
        signal: AbortSignal.abort(new Error('enough')),
      }),
    ).rejects.toThrow('enough')
    expect(await readdir(root)).toEqual(['app'])
  })
})
