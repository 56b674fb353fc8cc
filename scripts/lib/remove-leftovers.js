// Remove what list-leftovers.js lists, and the root images too. Nothing that bears other marks is touched. Without an
// Engine, mounts and rules go all the same.
import { spawnSync } from 'node:child_process'
import { engine } from './engine-api.js'
import { findContainers, findImages, findMounts, findNetworks, findRules } from './leftovers.js'

const [root] = process.argv.slice(2)

async function removeAll(kind, found, path) {
  for (const { id, name } of found) await attempt(`${kind} ${name}`, () => engine('DELETE', path(id)))
}

async function attempt(what, remove) {
  try {
    await remove()
    console.log(`removed ${what}`)
  } catch (error) {
    console.error(`could not remove ${what}: ${error.message}`)
    process.exitCode = 1
  }
}

function run(program, args, input = '') {
  const { status, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status !== 0) throw error ?? new Error(stderr.trim())
}

try {
  await engine('GET', '/_ping', 5_000)
  // In this order: each is held by the one before it.
  await removeAll('container', await findContainers(root), (id) => `/containers/${id}?force=1&v=1`)
  await removeAll('network', await findNetworks(root), (id) => `/networks/${id}`)
  await removeAll('image', await findImages(root), (id) => `/images/${id}?force=1`)
} catch (error) {
  console.error(
    `containers, networks and images were not looked for, because no Docker Engine answers: ${error.message}`,
  )
  process.exitCode = 1
}
for (const path of findMounts(root)) await attempt(`mount ${path}`, () => run('umount', [path]))
for (const { program, rules } of findRules(root)) {
  // Through the restore program, which understands its own quoting, in one transaction for all of them.
  const input = ['*filter', ...rules.map((rule) => rule.replace(/^-A/, '-D')), 'COMMIT', ''].join('\n')
  await attempt(`${rules.length} ${program} rules`, () => run(`${program}-restore`, ['--noflush', '-w'], input))
}
