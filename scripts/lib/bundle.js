// bundle.js DIRECTORY NAME=FILE...: bundles the programs whose TypeScript files are given, each with everything that it
// imports, into DIRECTORY, with source maps of our own code. A program then starts after reading a few files instead of
// thousands: docs/decisions/0035-bundled-programs.md. It only strips types: `npm run typecheck` checks them.
//
// NAME becomes the ES module NAME.js. A program that starts often has the name NAME.cjs: it becomes one CommonJS file, with
// the code that V8 has compiled of it (docs/decisions/0055-code-cache.md).
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { build } from 'esbuild'
import { cachedProgram } from './cached-program.js'
import { ownLines } from './own-lines.js'

const [directory, ...programs] = process.argv.slice(2)
const unused = path.join(import.meta.dirname, 'unused-module.cjs')

const common = {
  outdir: directory,
  bundle: true,
  platform: 'node',
  // The oldest version in `engines` of package.json.
  target: 'node20.12',
  sourcemap: true,
  // Stack traces need only the names, and each start reads the maps.
  sourcesContent: false,
  // It finds its native library by its own path.
  external: ['better-sqlite3'],
  // What dockerode loads for Engines behind SSH and for builds with BuildKit.
  alias: { ssh2: unused, '@grpc/grpc-js': unused, '@grpc/proto-loader': unused },
  logLevel: 'warning',
  write: false,
}

/** Modules that are imported dynamically are files of their own. */
const MODULES = {
  splitting: true,
  format: 'esm',
  // CommonJS modules load those of Node.js with `require`.
  banner: {
    js: `import { createRequire as createRequireOfBundle } from 'node:module'
const require = createRequireOfBundle(import.meta.url)`,
  },
}

/**
 * Modules of Node.js that take up to two milliseconds to load, and that not all starts use. A named import of them is looked
 * up when it is used; a default import loads the module at once.
 */
const LOADED_WHEN_USED = ['node:fs/promises', 'node:os']

/** Modules that are imported dynamically are part of the file, and run when they are imported. */
const ONE_FILE = {
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'urlOfBundle' },
}

const BANNER = "const urlOfBundle = require('node:url').pathToFileURL(__filename).href"
const LOADING_WHEN_USED = `${BANNER}
require = ((load) => (name) =>
  ${JSON.stringify(LOADED_WHEN_USED)}.includes(name) ? new Proxy({}, { get: (_, key) => load(name)[key] }) : load(name))(require)`

/**
 * Large packages that most starts do not need: each is a file of its own. V8 has an entry for each function of a file in
 * what it compiles ahead, and reads all of them.
 */
const RARELY_USED = {
  'stagectl.cjs': ['cli-progress', 'cli-table3', 'execa', 'smol-toml', 'tar-stream', 'undici', 'yauzl'],
  'stagerd.cjs': ['@aws-sdk/client-s3', 'cli-progress', 'pg'],
}

/** What a program that starts often must not read at each start. */
function oneFileOf(name) {
  const rarelyUsed = RARELY_USED[name] ?? RARELY_USED['stagerd.cjs']
  const leaveOut = ({ onResolve }) => {
    // commander loads it at once, for commands that are programs of their own.
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes('/node_modules/commander/') ? { path: unused } : undefined,
    )
    onResolve({ filter: new RegExp(`^(?:${rarelyUsed.join('|')})$`) }, ({ path: name, kind }) =>
      kind === 'entry-point' ? undefined : { path: `./${fileOf(name)}.cjs`, external: true },
    )
  }
  // A daemon uses at each start what a client loads when it uses it.
  const banner = name === 'stagectl.cjs' ? LOADING_WHEN_USED : BANNER
  const plugins = [{ name: 'rarely-used', setup: leaveOut }]
  return { rarelyUsed, options: { ...ONE_FILE, plugins, banner: { js: banner } } }
}

/** A package may have a scope, which is a directory for npm. */
const fileOf = (name) => name.replace(/^@/, '').replaceAll('/', '-')

const files = new Map()

// Files that do not change stay as they are: a script may build while another one runs the programs.
async function put(name, contents) {
  const file = path.join(directory, name)
  const existing = await readFile(file).catch(() => undefined)
  if (existing?.equals(contents)) return
  await writeFile(`${file}.new`, contents)
  await rename(`${file}.new`, file)
}

await mkdir(directory, { recursive: true })
const entries = programs.map((program) => program.split('='))

/** Bundles `entryPoints`. Returns the names of what it leaves to other files. */
async function bundle(entryPoints, options) {
  const { outputFiles, metafile } = await build({ ...common, ...options, entryPoints, metafile: true })
  for (const { path: file, contents } of outputFiles) {
    const bytes = Buffer.from(contents)
    files.set(path.basename(file), file.endsWith('.map') ? ownLines(bytes) : bytes)
  }
  return Object.values(metafile.outputs).flatMap(({ imports }) => imports.map((one) => one.path))
}

const isOneFile = ([name]) => path.extname(name) === '.cjs'
const modules = entries.filter((entry) => !isOneFile(entry))
if (modules.length > 0) await bundle(Object.fromEntries(modules), MODULES)
for (const [name, file] of entries.filter(isOneFile)) {
  const { rarelyUsed, options } = oneFileOf(name)
  const imported = await bundle({ [path.basename(name, '.cjs')]: file }, options)
  const beside = rarelyUsed.filter((one) => imported.includes(`./${fileOf(one)}.cjs`))
  if (beside.length > 0) {
    // The same for all programs that have it.
    const ofPackage = { ...options, banner: { js: BANNER }, sourcemap: false }
    await bundle(Object.fromEntries(beside.map((one) => [fileOf(one), one])), ofPackage)
    // A program may load it at once, also when it is run for its code.
    for (const one of beside) await put(`${fileOf(one)}.cjs`, files.get(`${fileOf(one)}.cjs`))
  }
  for (const [made, contents] of await cachedProgram(directory, name, files.get(name))) files.set(made, contents)
}

for (const [name, contents] of files) await put(name, contents)
// The names of shared files change with their content, so that old ones would stay.
for (const name of await readdir(directory)) if (!files.has(name)) await rm(path.join(directory, name))
