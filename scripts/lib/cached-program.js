// Makes a program of a bundle that starts with the code that V8 has compiled of it.
import { createHash } from 'node:crypto'
import path from 'node:path'
import process from 'node:process'
import { execa } from 'execa'

const COMPILE_AHEAD = path.join(import.meta.dirname, 'compile-ahead.js')

/** With which bin/ starts the programs: V8 refuses code that was compiled with other options. */
export const V8_OPTIONS = { 'stagerd.cjs': ['--heap-growing-percent=150', '--max-semi-space-size=4'] }

/**
 * The files of a program NAME.cjs: the bundle itself, its code cache, and NAME.cjs, which runs both. V8 compares only the
 * length of a bundle with that in the cache, so the names have the digest. It does not look for damage in the code and crashes
 * of it, so the SHA-256 of the code is at the end of its file.
 *
 * @param {string} directory where they will be, and those of the last time may be
 * @param {string} name
 * @param {Buffer} bundle has the functions `main`, and `warmUp`, which runs what each start runs
 */
export async function cachedProgram(directory, name, bundle) {
  const stem = `${path.basename(name, '.cjs')}-${createHash('sha256').update(bundle).digest('hex').slice(0, 12)}`
  const filename = path.resolve(directory, `${stem}.cjs`)
  const args = [...(V8_OPTIONS[name] ?? []), COMPILE_AHEAD, filename, path.resolve(directory, `${stem}.cache`)]
  const options = { input: bundle, encoding: 'buffer', stripFinalNewline: false, stderr: 'inherit' }
  const { stdout: code } = await execa(process.execPath, args, options)
  return [
    [`${stem}.cjs`, bundle],
    [`${stem}.cache`, Buffer.from(code)],
    [name, Buffer.from(starter(stem, name))],
  ]
}

const starter = (stem, name) => `'use strict'
// Runs the bundle beside this file, with the code that V8 has compiled of it. Without that, if it is damaged, or with another
// version of Node.js, it is compiled again.
const { createHash } = require('node:crypto')
const { existsSync, readFileSync } = require('node:fs')
const Module = require('node:module')
const { Script } = require('node:vm')

const filename = \`\${__dirname}/${stem}.cjs\`
const source = \`(function (exports, require, module, __filename, __dirname) {\${readFileSync(filename, 'latin1')}\\n})\`
const cache = \`\${__dirname}/${stem}.cache\`
const cached = existsSync(cache) ? readFileSync(cache) : Buffer.alloc(0)
const code = cached.subarray(0, -32)
const isWhole = createHash('sha256').update(code).digest().equals(cached.subarray(-32))
const script = new Script(source, { filename, cachedData: isWhole ? code : undefined })
const module_ = new Module(filename)
// Node.js reads source maps of modules that it compiles itself. This one has nothing but the address of the map.
if (process.sourceMapsEnabled) module_._compile('//# sourceMappingURL=${name}.map', filename)
script.runInThisContext()(module_.exports, require, module_, filename, __dirname)
module_.exports.main()
`
