// bundle.js DIRECTORY NAME=FILE...: bundles the programs whose TypeScript files are given, each with everything that it
// imports, into DIRECTORY, with source maps. A program then starts after reading a few files instead of thousands:
// docs/decisions/0035-bundled-programs.md. It only strips types: `npm run typecheck` checks them.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { build } from 'esbuild'

const [directory, ...programs] = process.argv.slice(2)
const unused = path.join(import.meta.dirname, 'unused-module.cjs')

const { outputFiles } = await build({
  entryPoints: Object.fromEntries(programs.map((program) => program.split('='))),
  outdir: directory,
  bundle: true,
  // Modules that are imported dynamically are files of their own.
  splitting: true,
  format: 'esm',
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
  // CommonJS modules load those of Node.js with `require`.
  banner: {
    js: `import { createRequire as createRequireOfBundle } from 'node:module'
const require = createRequireOfBundle(import.meta.url)`,
  },
  logLevel: 'warning',
  write: false,
})

// Files that do not change stay as they are: a script may build while another one runs the programs.
await mkdir(directory, { recursive: true })
for (const { path: file, contents } of outputFiles) {
  const existing = await readFile(file).catch(() => undefined)
  if (existing?.equals(contents)) continue
  await writeFile(`${file}.new`, contents)
  await rename(`${file}.new`, file)
}
// The names of shared files change with their content, so that old ones would stay.
const names = new Set(outputFiles.map((file) => path.basename(file.path)))
for (const name of await readdir(directory)) if (!names.has(name)) await rm(path.join(directory, name))
