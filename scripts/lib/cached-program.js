// Makes a program of a bundle that starts with the code that V8 has compiled of it.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { Script } from 'node:vm'

/**
 * The files of a program NAME.cjs: the bundle itself, its code cache, and NAME.cjs, which runs both. V8 compares only the
 * length of a bundle with that in the cache, so the names have the digest.
 *
 * @param {string} directory where they will be, and those of the last time may be
 * @param {string} name
 * @param {Buffer} bundle has the functions `main`, and `warmUp`, which runs what each start runs
 */
export async function cachedProgram(directory, name, bundle) {
  const stem = `${path.basename(name, '.cjs')}-${createHash('sha256').update(bundle).digest('hex').slice(0, 12)}`
  const cache = `${stem}.cache`
  const existing = await readFile(path.join(directory, cache)).catch(() => undefined)
  return [
    [`${stem}.cjs`, bundle],
    [cache, isAccepted(bundle, existing) ? existing : await codeOf(path.resolve(directory, `${stem}.cjs`), bundle)],
    [name, Buffer.from(starter(stem))],
  ]
}

function isAccepted(bundle, cachedData) {
  return cachedData !== undefined && !new Script(wrapped(bundle), { cachedData }).cachedDataRejected
}

/** V8 compiles a function when it is called, so the cache has those that have been called. */
async function codeOf(filename, bundle) {
  const script = new Script(wrapped(bundle), { filename })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, path.dirname(filename))
  await module.exports.warmUp()
  return script.createCachedData()
}

// esbuild escapes what is not ASCII, and V8 reads one byte for each character faster.
function wrapped(bundle) {
  return `(function (exports, require, module, __filename, __dirname) {${bundle.toString('latin1')}\n})`
}

const starter = (stem) => `'use strict'
// Runs the bundle beside this file, with the code that V8 has compiled of it. Without that, or with another version of
// Node.js, it is compiled again.
const { existsSync, readFileSync } = require('node:fs')
const { Script } = require('node:vm')

const filename = \`\${__dirname}/${stem}.cjs\`
const source = \`(function (exports, require, module, __filename, __dirname) {\${readFileSync(filename, 'latin1')}\\n})\`
const cache = \`\${__dirname}/${stem}.cache\`
const script = new Script(source, { filename, cachedData: existsSync(cache) ? readFileSync(cache) : undefined })
const module_ = { exports: {} }
script.runInThisContext()(module_.exports, require, module_, filename, __dirname)
module_.exports.main()
`
