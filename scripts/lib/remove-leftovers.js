// Removes what list-leftovers.js lists, and the root images. Touches nothing of other checkouts. Without an Engine, it
// still removes mounts and rules.
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
  // In this order, because containers use networks and images.
  await removeAll('container', await findContainers(root), (id) => `/containers/${id}?force=1&v=1`)
  await removeAll('network', await findNetworks(root), (id) => `/networks/${id}`)
  await removeAll('image', await findImages(root), (id) => `/images/${id}?force=1`)
} catch (error) {
  console.error(
    `could not look for containers, networks and images, because no Docker Engine answers: ${error.message}`,
  )
  process.exitCode = 1
}
for (const path of findMounts(root)) await attempt(`mount ${path}`, () => run('umount', [path]))
for (const { program, rules } of findRules(root)) {
  // The restore program parses the quoting of the save program, and removes all rules in one transaction.
  const input = ['*filter', ...rules.map((rule) => rule.replace(/^-A/, '-D')), 'COMMIT', ''].join('\n')
  await attempt(`${rules.length} ${program} rules`, () => run(`${program}-restore`, ['--noflush', '-w'], input))
}
