// compile-ahead.js FILE [CACHE] <BUNDLE: prints the code that V8 has compiled of a bundle which will be FILE, or what is in CACHE if
// V8 accepts that; then its SHA-256. It is run with the options of the program: V8 refuses code that was compiled with others.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import process from 'node:process'
import { buffer } from 'node:stream/consumers'
import { Script } from 'node:vm'

const [filename, cache] = process.argv.slice(2)
// esbuild escapes what is not ASCII, and V8 reads one byte for each character faster.
const source = `(function (exports, require, module, __filename, __dirname) {${(await buffer(process.stdin)).toString('latin1')}\n})`

/** V8 compiles a function when it is called, so the cache has those that have been called. */
async function codeOf() {
  const script = new Script(source, { filename })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, path.dirname(filename))
  await module.exports.warmUp()
  return script.createCachedData()
}

const digestOf = (code) => createHash('sha256').update(code).digest()

const existing = await readFile(cache).catch(() => Buffer.alloc(0))
const kept = existing.subarray(0, -32)
// V8 crashes of damaged code.
const isAccepted =
  digestOf(kept).equals(existing.subarray(-32)) && !new Script(source, { cachedData: kept }).cachedDataRejected
const code = isAccepted ? kept : await codeOf()
process.stdout.write(Buffer.concat([code, digestOf(code)]), () => process.exit())
