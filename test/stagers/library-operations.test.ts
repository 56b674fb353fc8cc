import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf, entriesOf, namesIn, packed, scratch } from '../support/small-trees.js'
import { type Call, callLibrary, LANGUAGES } from '../support/stager-library.js'
const FILES = { 'index.html': 'hello', 'sub/a file': 'deep', '.hidden': 'x', '-dash': 'y' }

describe.each(LANGUAGES)('the library for stagers in $language', (language) => {
  const open = async () => {
    const coordinator = await openCoordinator()
    const call = (...calls: Call[]) => callLibrary(language, { STAGER_URL: coordinator.url }, ...calls)
    return { ...coordinator, call }
  }

  describe('data', () => {
    it.each([
      ['of an earlier stager, below app/', () => packed({ 'app/f': '1', 'app/sub/g': '2' }, 'app')],
      ['that was uploaded without a prefix', () => packed({ f: '1', 'sub/g': '2' }, 'f', 'sub')],
    ])('%s is unpacked as the application itself', async (_, data) => {
      const { call, handler } = await open()
      handler.data = await data()
      const directory = join(await scratch(), 'not', 'there')
      expect(await call(['get_data', directory], ['finish'])).toEqual({ exitCode: 0, output: '' })
      expect(await namesIn(directory)).toEqual(['f', 'sub', 'sub/g'])
    })

    it('that is one file with the name app keeps its name', async () => {
      const { call, handler } = await open()
      handler.data = await packed({ app: 'a program' }, 'app')
      const directory = await scratch()
      expect((await call(['get_data', directory], ['finish'])).exitCode).toBe(0)
      expect(await readFile(join(directory, 'app'), 'utf8')).toBe('a program')
    })

    it.each([
      ['all of it, with names from the root', [[], ['.'], ['./'], ['/']]],
      ['a directory of it, whatever its path looks like', [['app'], ['./app'], ['/app/'], ['.//app']]],
    ])('is packed: %s', async (what, all) => {
      const { call, handler } = await open()
      const root = await directoryOf({ ...FILES, 'app/start': 'x' })
      const packed: Buffer[] = []
      handler.before = () => {
        // What the call before has replaced.
        if (handler.calls.length > 1) packed.push(handler.data)
      }
      const calls = all.map((paths): Call => ['put_data', root, ...paths])
      expect(await call(...calls, ['finish'])).toEqual({ exitCode: 0, output: '' })
      expect(packed).toHaveLength(all.length)
      const application = ['app/', 'app/start']
      const others = ['-dash', '.hidden', 'index.html', 'sub/', 'sub/a file']
      const names = what.startsWith('all') ? [...others, ...application].sort() : application
      for (const tarball of packed) expect(await entriesOf(tarball)).toEqual(names)
    })

    it('that is not there ends the stager with a sentence', async () => {
      const root = await scratch()
      const output = async (...calls: Call[]) => (await (await open()).call(...calls)).output
      expect(await output(['put_data', root])).toBe(`There is nothing to upload in ${root}.\n`)
      expect(await output(['put_data', root, 'app'])).toMatch(/tar: app: [^]* cannot be packed\.\n$/)
    })

    it('for which no directory can be made ends the stager with a sentence', async () => {
      const { call, handler } = await open()
      handler.data = await packed({ f: '1' }, 'f')
      const { exitCode, output } = await call(['get_data', '/dev/null/app'], ['finish'])
      expect(exitCode).toBe(1)
      expect(output).toMatch(/The directory \/dev\/null\/app cannot be made, or cannot be given to the user/)
      expect(handler.calls.at(-1)).toBe('verdict failed')
    })

    it('that is no tarball ends the stager with a sentence', async () => {
      const { call, handler } = await open()
      handler.data = Buffer.from('no tarball')
      const root = await scratch()
      const { output } = await call(['get_data', root])
      expect(output.endsWith(`The data of the package cannot be unpacked into ${root}.\n`), output).toBe(true)
    })
  })

  describe('a snapshot', () => {
    it('is of everything, or of a directory without some paths', async () => {
      const { call, handler } = await open()
      const only: Call = ['snapshot', '--directory', '/srv/a b', '--exclude', '/tmp', '--exclude', '/srv/a b/c&d']
      expect(await call(['snapshot'], only, ['finish'])).toEqual({ exitCode: 0, output: '' })
      expect(handler.calls[0]).toMatch(/^snapshot \(everything\)/)
      expect(handler.calls[1]).toMatch(/^snapshot \/srv\/a b /)
      expect(handler.calls[1]).toContain(' without /tmp')
      expect(handler.calls[1]).toContain(' without /srv/a b/c&d')
    })
  })

  describe('metadata', () => {
    it('is added to', async () => {
      const { call, handler } = await open()
      const ended = await call(
        ['set_env', 'NODE_ENV', 'production'],
        ['set_env', 'EMPTY', ''],
        ['set_start_command', 'exec npm start -- "$PORT"'],
        ['set_start_path', '/app'],
        ['add_provides', 'package.web', 'file./usr/bin/web'],
        ['add_dependencies', 'os.debian', 'runtime.node-20.x'],
        ['add_template', '/app/a.conf'],
        ['add_template', 'app/b.conf', '<%', '%>'],
        ['finish'],
      )
      expect(ended).toEqual({ exitCode: 0, output: '' })
      expect(handler.meta).toEqual({
        environment: {
          NODE_ENV: 'production',
          EMPTY: '',
          START_COMMAND: 'exec npm start -- "$PORT"',
          START_PATH: '/app',
        },
        provides: [
          { type: 'package', name: 'web' },
          { type: 'file', name: '/usr/bin/web' },
        ],
        dependencies: [
          { type: 'os', name: 'debian' },
          { type: 'runtime', name: 'node-20.x' },
        ],
        templates: [
          { path: 'app/a.conf', left_delimiter: '{{', right_delimiter: '}}' },
          { path: 'app/b.conf', left_delimiter: '<%', right_delimiter: '%>' },
        ],
      })
    })

    it('is removed from', async () => {
      const { call, handler } = await open()
      handler.meta = {
        environment: { A: '1', B: '2' },
        provides: [{ type: 'package', name: 'web' }],
        dependencies: [
          { type: 'os', name: 'debian' },
          { type: 'package', name: 'a.b' },
        ],
        templates: [
          { path: 'a', left_delimiter: '{{', right_delimiter: '}}' },
          { path: 'b', left_delimiter: '<%', right_delimiter: '%>' },
        ],
      }
      const ended = await call(
        ['unset_env', 'A'],
        ['remove_provides', 'package.web'],
        ['remove_dependencies', 'package.a.b', 'os.none'],
        ['remove_template', 'a'],
        ['remove_template', 'b', '<%', '%>'],
        ['finish'],
      )
      expect(ended).toEqual({ exitCode: 0, output: '' })
      expect(handler.meta).toEqual({
        environment: { B: '2' },
        provides: [],
        dependencies: [{ type: 'os', name: 'debian' }],
        templates: [],
      })
    })

    it('keeps any value, both ways', async () => {
      const values = {
        'quotes and backslashes': String.raw`"a\" \\ \n \u0041 'b' $PATH` + '`c`',
        lines: 'one\n\ntwo\ttab\u0001\u001f',
        text: 'ä € 😀 ]}{[,:',
        'what forms encode': '&=+%25 ;#?@/file',
        '@file': '@/etc/passwd',
        'many bytes, and an odd name: a "k]y/ü$': 'x'.repeat(90_000),
      }
      const { call, handler } = await open()
      const set = Object.entries(values).map(([key, value]): Call => ['set_env', key, value])
      // Before the library reads the metadata, and when it knows of a change.
      const ended = await call(
        ...set,
        ...Object.keys(values).map((key): Call => ['meta_env', key]),
        ...set.slice(0, 1),
        ['meta_env', Object.keys(values)[0]!],
        ['finish'],
      )
      expect(handler.meta.environment).toEqual(values)
      const read = [...Object.values(values), Object.values(values)[0]!]
      expect(ended).toEqual({ exitCode: 0, output: read.map((value) => `${value}\n`).join('') })
    })

    it('is read', async () => {
      const { call, handler } = await open()
      handler.meta = {
        environment: { A: 'the value' },
        provides: [{ type: 'runtime', name: 'ruby' }],
        dependencies: [
          { type: 'os', name: 'debian' },
          { type: 'runtime', name: 'node-20' },
        ],
        templates: [{ path: 'a', left_delimiter: '{{', right_delimiter: '}}' }],
      }
      const { output } = await call(
        ['meta_env', 'A'],
        ['meta_dependencies'],
        ['meta_has_dependency', 'runtime.node'],
        ['meta_has_dependency', 'runtime.node-20'],
        ['meta_has_dependency', 'os.debian'],
        ['meta_has_dependency', 'runtime.ruby'],
        ['meta_has_dependency', 'os.debian-12'],
        ['meta_has_dependency', 'node'],
        ['finish'],
      )
      const found = ['true', 'true', 'true', 'false', 'false', 'false']
      expect(output.split('\n')).toEqual(['the value', 'os.debian', 'runtime.node-20', ...found, ''])
    })

    it('that is not TYPE.NAME ends the stager with a sentence', async () => {
      const { call, handler } = await open()
      expect(await call(['add_dependencies', 'os'])).toEqual({
        exitCode: 1,
        output: '"os" is not a capability: write TYPE.NAME, such as runtime.node.\n',
      })
      expect(handler.calls).toEqual(['verdict failed'])
    })
  })

  it('leaves nothing in the temporary directory', async () => {
    const { url, handler } = await open()
    const TMPDIR = await scratch()
    const root = await directoryOf({ 'app/f': 'x' })
    const calls: Call[] = [['put_data', root], ['get_data', join(root, 'again')], ['set_env', 'A', '1'], ['finish']]
    expect(await callLibrary(language, { STAGER_URL: url, TMPDIR }, ...calls)).toEqual({ exitCode: 0, output: '' })
    expect(handler.calls.at(-1)).toBe('verdict done')
    expect(await namesIn(TMPDIR)).toEqual([])
  })
})
