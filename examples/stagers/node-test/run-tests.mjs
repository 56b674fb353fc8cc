#!/usr/bin/env node
// Run the tests of the application on its own runtime, and report failure when they fail.
//
// This stager is additive: it runs with the dependencies of the package, so `node` and `npm` are those of the
// application.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { StringDecoder } from 'node:string_decoder'

const stagerUrl = process.env.STAGER_URL

async function main() {
  console.log('-----> Downloading the application')
  const application = await download()
  if (!existsSync(join(application, 'package.json'))) return await fail(['package.json is missing'])

  console.log('-----> Running npm test')
  const { exitCode, failing } = await runTests(application)
  if (exitCode !== 0) {
    const names = failing.length > 0 ? failing.map((name) => `failing test: ${name}`) : ['see the output above']
    return await fail([`npm test ended with exit code ${exitCode}`, ...names])
  }
  console.log('-----> All tests passed')
  await post('done')
}

async function download() {
  const directory = mkdtempSync('/tmp/application-')
  const response = await fetch(`${stagerUrl}/data`)
  if (!response.ok) throw new Error(`GET /data answered ${response.status}`)
  const tar = spawn('tar', ['-xz', '-C', directory], { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = once(tar, 'close')
  await pipeline(response.body, tar.stdin)
  const [exitCode] = await ended
  if (exitCode !== 0) throw new Error(`tar ended with exit code ${exitCode}`)
  // The result of an earlier stager is below app/; an upload of the user has no prefix.
  const names = readdirSync(directory)
  return names.length === 1 && names[0] === 'app' ? join(directory, 'app') : directory
}

/** Passes the output on and extracts the names of failing tests from it. */
async function runTests(directory) {
  const env = { ...process.env, CI: 'true', NODE_ENV: 'test', npm_config_update_notifier: 'false', HOME: '/tmp' }
  delete env.STAGER_URL
  // Two streams would not keep their order, so stderr goes to stdout.
  const npm = spawn('sh', ['-c', 'exec npm test --silent 2>&1'], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const decoder = new StringDecoder('utf8')
  let output = ''
  npm.stdout.on('data', (chunk) => {
    process.stdout.write(chunk)
    output = (output + decoder.write(chunk)).slice(-1024 * 1024)
  })
  const [exitCode] = await once(npm, 'close')
  // The formats of the Node.js reporters: "✖ name (1.2ms)" of `spec`, "not ok 1 - name" of `tap`.
  const marks = output.matchAll(/^\s*(?:✖ (.+?) \(\d.*ms\)|not ok \d+ - (.+))$/gm)
  const failing = [...new Set([...marks].map(([, spec, tap]) => spec ?? tap))].slice(0, 5)
  return { exitCode, failing }
}

async function fail(lines) {
  for (const line of lines) console.log(`node-test: ${line}`)
  await post('failed')
  process.exitCode = 1
}

async function post(verdict) {
  const response = await fetch(`${stagerUrl}/${verdict}`, { method: 'POST' })
  if (!response.ok) throw new Error(`POST /${verdict} answered ${response.status}: ${await response.text()}`)
}

try {
  await main()
} catch (error) {
  await fail([error.message])
}
