import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { beforeEach, expect, onTestFinished, test } from 'vitest'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')
const BUNDLE = path.join(CHECKOUT, 'scripts/lib/bundle.js')

let root: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'stagerd-bundle-'))
  onTestFinished(() => rm(root, { recursive: true }))
})

const programs = () => path.join(root, 'dist/programs')
const bundle = (...files: string[]) => execa(process.execPath, [BUNDLE, programs(), ...files], { cwd: CHECKOUT })

test('the programs load nothing of node_modules but the native library', async () => {
  await cp(path.join(CHECKOUT, 'package.json'), path.join(root, 'package.json'))
  await mkdir(path.join(root, 'node_modules'))
  for (const name of ['better-sqlite3', 'bindings', 'file-uri-to-path'])
    await cp(path.join(CHECKOUT, 'node_modules', name), path.join(root, 'node_modules', name), { recursive: true })
  await bundle('stagerd.cjs=daemon/main.ts', 'stagectl.cjs=cli/main.ts')
  await cp(path.join(CHECKOUT, 'bin'), path.join(root, 'bin'), { recursive: true })

  const { version } = JSON.parse(await readFile(path.join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }
  for (const program of ['stagerd', 'stagectl'])
    expect((await execa(path.join(root, 'bin', program), ['--version'])).stdout).toBe(version)

  // With other options of V8 than those of the build, the compiled code would be refused, and nothing would say so.
  const refused = `vm.Script = class extends vm.Script {
    constructor(...given) {
      super(...given)
      if (this.cachedDataRejected !== false) throw new Error('refused')
    }
  }`
  await writeFile(path.join(root, 'refused.mjs'), `import vm from 'node:vm'\n${refused}`)
  const env = { NODE_OPTIONS: `--import ${path.join(root, 'refused.mjs')}` }
  for (const program of ['stagerd', 'stagectl'])
    expect((await execa(path.join(root, 'bin', program), ['--version'], { env })).stdout).toBe(version)

  // What is read at each start. A package that only some commands need is a file of its own: RARELY_USED in bundle.js.
  const names = await readdir(programs())
  const client = names.find((name) => /^stagectl-.*\.cjs$/.test(name))!
  expect((await stat(path.join(programs(), client))).size).toBeLessThan(700_000)
  const packages = names.filter((name) => name.endsWith('.cjs') && !/^stage(?:rd|ctl)/.test(name))
  expect(packages).toContain('execa.cjs')
  for (const name of packages) await rm(path.join(programs(), name))
  // The module of the command itself is loaded when the command is run.
  expect((await execa(path.join(root, 'bin/stagectl'), ['stage', '--help'])).stdout).toContain('Usage: stagectl stage')
})

test('a stack trace names the TypeScript files and their lines', async () => {
  await writeFile(path.join(root, 'part.ts'), 'export function fail(why: string): never {\n  throw new Error(why)\n}\n')
  await writeFile(path.join(root, 'main.ts'), "import { fail } from './part.js'\n\nfail('broken')\n")
  // As a module, and as one file with compiled code.
  await writeFile(
    path.join(root, 'one.ts'),
    "import { fail } from './part.js'\n\nexport const main = () => fail('broken')\nexport const warmUp = () => Promise.resolve()\n",
  )
  await bundle(`main=${path.join(root, 'main.ts')}`, `one.cjs=${path.join(root, 'one.ts')}`)

  for (const [program, source] of [
    ['main.js', 'main.ts'],
    ['one.cjs', 'one.ts'],
  ] as const) {
    const failed = await execa(process.execPath, ['--enable-source-maps', path.join(programs(), program)], {
      reject: false,
    })
    expect(failed.stderr).toContain(`${path.join(root, 'part.ts')}:2:`)
    expect(failed.stderr).toContain(`${path.join(root, source)}:3:`)
  }
})

test('a stack trace through a dependency names our lines, and the place in the bundle for the others', async () => {
  const dependency = path.join(root, 'node_modules/caller')
  await mkdir(dependency, { recursive: true })
  await writeFile(path.join(dependency, 'package.json'), '{"name": "caller", "type": "module", "main": "caller.js"}')
  await writeFile(path.join(dependency, 'caller.js'), 'export function call(back) {\n  return [back()]\n}\n')
  // In the bundle, the dependency is between the two.
  await writeFile(path.join(root, 'part.ts'), "export function fail(): never {\n  throw new Error('broken')\n}\n")
  const source = "import { fail } from './part.js'\nimport { call } from 'caller'\n\ncall(fail)\n"
  await writeFile(path.join(root, 'main.ts'), source)
  await bundle(`main=${path.join(root, 'main.ts')}`)

  const main = path.join(programs(), 'main.js')
  const failed = await execa(process.execPath, ['--enable-source-maps', main], { reject: false })
  const frames = [...failed.stderr.matchAll(/^ +at (\S+) .*?([^/(]+):\d+\)?$/gm)].map(([, name, at]) => `${name} ${at}`)
  expect(frames.slice(0, 2)).toEqual(['fail part.ts:2', expect.stringMatching(/^call main\.js:\d+$/)])
  expect(failed.stderr).toContain(`${path.join(root, 'main.ts')}:4:1`)

  const { sources } = JSON.parse(await readFile(`${main}.map`, 'utf8')) as { sources: string[] }
  expect(sources.map((source) => path.basename(source))).toEqual(['part.ts', 'main.ts'])
})

test('files of an earlier bundle do not stay', async () => {
  await mkdir(programs(), { recursive: true })
  await writeFile(path.join(programs(), 'chunk-OLD.js'), '')
  await writeFile(path.join(root, 'main.ts'), 'export {}\n')
  await bundle(`main=${path.join(root, 'main.ts')}`)
  expect((await readdir(programs())).sort()).toEqual(['main.js', 'main.js.map'])
})

test('a bundle of unchanged files leaves the programs in place, so that others can run them meanwhile', async () => {
  await writeFile(path.join(root, 'main.ts'), 'export {}\n')
  const bundled = async () => {
    await bundle(`main=${path.join(root, 'main.ts')}`)
    return (await stat(path.join(programs(), 'main.js'))).mtimeMs
  }
  const before = await bundled()
  expect(await bundled()).toBe(before)
  await writeFile(path.join(root, 'main.ts'), 'export const changed = 1\n')
  expect(await bundled()).not.toBe(before)
})

test('a program that starts often has the code that V8 has compiled of it, and runs without that too', async () => {
  const main =
    "export const main = () => console.log('ran', import.meta.url)\nexport const warmUp = () => Promise.resolve()\n"
  await writeFile(path.join(root, 'main.ts'), main)
  const bundled = async () => {
    await bundle(`main.cjs=${path.join(root, 'main.ts')}`)
    const names = (await readdir(programs())).sort()
    const cache = path.join(
      programs(),
      names.find((name) => name.endsWith('.cache'))!,
    )
    return { names, cache, made: (await stat(cache)).mtimeMs }
  }
  const first = await bundled()
  const stem = path.basename(first.cache, '.cache')
  expect(first.names).toEqual([`${stem}.cache`, `${stem}.cjs`, 'main.cjs', 'main.cjs.map'])
  // It stays as long as V8 accepts it.
  expect(await bundled()).toEqual(first)

  const said = `ran file://${path.join(programs(), stem)}.cjs`
  const run = async () => (await execa(process.execPath, [path.join(programs(), 'main.cjs')])).stdout
  expect(await run()).toBe(said)
  await writeFile(first.cache, 'of another version')
  expect(await run()).toBe(said)
  expect((await bundled()).made).not.toBe(first.made)
  // V8 takes damaged code for its own, and crashes.
  const damaged = await readFile(first.cache)
  damaged.subarray(damaged.length / 2, -64).fill(0xff)
  await writeFile(first.cache, damaged)
  expect(await run()).toBe(said)
  await bundled()
  expect((await readFile(first.cache)).equals(damaged)).toBe(false)
  await rm(first.cache)
  expect(await run()).toBe(said)
})
