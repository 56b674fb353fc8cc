import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fillInTemplates } from '../../../isolation/engine/fill-in-templates.js'
import { RootTree } from '../../../isolation/engine/root-tree.js'
import type { RootTemplate } from '../../../isolation/isolation.js'

let directory: string
let root: string
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-templates-'))
  root = path.join(directory, 'root')
  await mkdir(path.join(root, 'app'), { recursive: true })
})
afterEach(() => rm(directory, { recursive: true }))

const file = (name: string, content: string, mode = 0o644) => writeFile(path.join(root, name), content, { mode })

/** Puts the name of the template in place of `@`. */
const named = (...paths: string[]): RootTemplate => ({
  paths,
  fillIn: (name, content) => Buffer.from(content.toString().replaceAll('@', name)),
})

const fillIn = async (...templates: RootTemplate[]) => {
  const tree = new RootTree(root, { uid: 0, gids: new Set(), overrides: true })
  const filled = await fillInTemplates(tree, templates, new AbortController().signal)
  return filled.map(({ path, content, stats }) => [path, content.toString(), (stats.mode & 0o7777).toString(8)])
}

describe('templates of a root', () => {
  it('give filled-in files with the mode of the originals, which stay as they are', async () => {
    await file('app/a.conf', 'at @', 0o640)
    expect(await fillIn(named('/app/a.conf'))).toEqual([['/app/a.conf', 'at /app/a.conf', '640']])
    expect(await fillIn(named('/app/a.conf'))).toEqual([['/app/a.conf', 'at /app/a.conf', '640']])
  })

  it('are found at the first of their paths that is there', async () => {
    await file('app/a.conf', '@')
    expect(await fillIn(named('/a.conf', '/app/a.conf', '/app'))).toEqual([['/app/a.conf', '/app/a.conf', '644']])
    expect(await fillIn(named('/app/a.conf/b', '/app/a.conf'))).toEqual([['/app/a.conf', '/app/a.conf', '644']])
  })

  it('are filled in one after the other where several name the same file', async () => {
    await file('app/a.conf', '@ #')
    const numbered: RootTemplate = {
      paths: ['/app/a.conf'],
      fillIn: (_, content) => Buffer.from(`${String(content)}1`),
    }
    expect(await fillIn(numbered, named('/app/a.conf'), numbered)).toEqual([['/app/a.conf', '/app/a.conf #11', '644']])
  })

  it('without a placeholder need no file', async () => {
    await file('app/a.conf', 'plain')
    expect(await fillIn(named('/app/a.conf'))).toEqual([])
  })

  it('are found through directories that are links, within the root', async () => {
    await mkdir(path.join(directory, 'etc'))
    await writeFile(path.join(directory, 'etc/shop.conf'), 'of the host')
    await mkdir(path.join(root, 'etc'))
    await file('etc/shop.conf', 'of the root @')
    await symlink('../../../../../etc', path.join(root, 'app/relative'))
    await symlink(path.join(directory, 'etc'), path.join(root, 'app/absolute'))
    await symlink('/etc', path.join(root, 'app/inside'))
    for (const link of ['relative', 'inside'])
      expect(await fillIn(named(`/app/${link}/shop.conf`))).toEqual([
        ['/etc/shop.conf', `of the root /app/${link}/shop.conf`, '644'],
      ])
    await expect(fillIn(named('/app/absolute/shop.conf'))).rejects.toMatchObject({ code: 'no-template' })
  })

  it('are of at most 1 MiB, and are not read before that is known', async () => {
    await file('app/full', '@'.padEnd(1024 * 1024))
    expect(await fillIn(named('/app/full'))).toHaveLength(1)
    await file('app/large', '')
    await truncate(path.join(root, 'app/large'), 1024 ** 3)
    await expect(fillIn(named('/app/large'))).rejects.toMatchObject({
      code: 'template-too-large',
      message: 'The template "/app/large" is larger than 1 MiB: keep its placeholders in a smaller file.',
    })
  })

  it('have a limit together, because stagers write them', async () => {
    await file('app/a.conf', '@')
    const five = Array.from({ length: 5 }, (_, index): RootTemplate => ({
      paths: ['/app/a.conf'],
      fillIn: () => Buffer.alloc(4 * 1024 ** 2, String(index)),
    }))
    expect(await fillIn(...five.slice(1))).toHaveLength(1)
    await expect(fillIn(...five)).rejects.toMatchObject({ code: 'template-too-large' })
    const many = Array.from({ length: 1001 }, () => named('/app/a.conf'))
    await expect(fillIn(...many)).rejects.toMatchObject({ code: 'too-many-templates' })
  })

  it.each<[what: string, name: string, message: string]>([
    ['a link to a file of the host', '/app/shadow', '"/app/shadow" is a symbolic link, and'],
    ['a link that leads out of the root', '/app/up', '"/app/up" is a symbolic link, and'],
    ['a link to itself', '/app/loop', '"/app/loop" is a symbolic link, and'],
    ['a file below a link to itself', '/app/loop/a', '"/app/loop/a" is no file of a package, and'],
    ['a directory', '/app', '"/app" is a directory, and'],
    ['the root', '/', '"/" is a directory, and'],
    ['a named pipe', '/app/pipe', '"/app/pipe" is a device, a named pipe or a socket, and'],
    ['a file of the kernel', '/proc/self/environ', '"/proc/self/environ" is no file of a package, and'],
    ['a file that the Engine mounts', '/etc/hosts', '"/etc/hosts" is made for each container, and'],
    ['nothing', '/app/none', 'There is no file /app/none for a template: name one by its path from the root'],
  ])('cannot be %s', async (_, name, message) => {
    await symlink('/etc/shadow', path.join(root, 'app/shadow'))
    await symlink('../../../../../../etc/shadow', path.join(root, 'app/up'))
    await symlink('loop', path.join(root, 'app/loop'))
    await mkdir(path.join(root, 'etc'))
    await file('etc/hosts', '@')
    expect(spawnSync('mkfifo', [path.join(root, 'app/pipe')]).status).toBe(0)
    await expect(fillIn(named(name))).rejects.toMatchObject({
      code: 'no-template',
      message: expect.stringContaining(message) as string,
    })
  })

  it('say where they are named, if that is known', async () => {
    const template = { ...named('/app/none'), place: 'Line 3, column 9 of the manifest' }
    await expect(fillIn(template)).rejects.toMatchObject({
      code: 'no-template',
      message: expect.stringMatching(/^Line 3, column 9 of the manifest: There is no file \/app\/none/) as string,
    })
  })

  it('end with what one of them throws', async () => {
    await file('app/a.conf', '@')
    const failing: RootTemplate = {
      paths: ['/app/a.conf'],
      fillIn: () => {
        throw new RangeError('line 3')
      },
    }
    await expect(fillIn(named('/app/a.conf'), failing)).rejects.toThrow('line 3')
  })
})
