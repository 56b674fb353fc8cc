// Finds what any stagerd of a checkout has created in Docker, and its mounts and firewall rules, by labels, mount
// sources and rule comments. isolation/host/ownership.ts defines them.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { labelled, list } from './engine-api.js'

const INSTALL_LABEL = 'io.stagerd.install'

/** @param {string} root root directory of the checkout */
export async function findContainers(root) {
  const containers = await list(`/containers/json?all=1&filters=${labelled(`${INSTALL_LABEL}=${root}`)}`)
  return containers.map(({ Id, Names }) => ({ id: Id, name: (Names[0] ?? Id).replace(/^\//, '') }))
}

export async function findNetworks(root) {
  const networks = await list(`/networks?filters=${labelled(`${INSTALL_LABEL}=${root}`)}`)
  return networks.map(({ Id, Name }) => ({ id: Id, name: Name }))
}

/** Finds root images. They are a cache that outlives launches, so list-leftovers.js does not list them. */
export async function findImages(root) {
  const images = await list(`/images/json?filters=${labelled(`${INSTALL_LABEL}=${root}`)}`)
  return images.map(({ Id, RepoTags }) => ({ id: Id, name: RepoTags?.[0] ?? Id }))
}

/** Finds mount points, latest first: the order in which they can be unmounted. */
export function findMounts(root) {
  const source = `stagerd-${installTag(root)}`
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.split(' - ')[1]?.split(' ')[1] === source)
    .map((line) => unescape(line.split(' ')[4]))
    .reverse()
}

/**
 * Finds the rules of each program in the format of `iptables-save`: `-A CHAIN …`. stagerd uses only the table `filter`.
 */
export function findRules(root) {
  const comment = `stagerd:${installTag(root)}:`
  return ['iptables', 'ip6tables'].flatMap((program) => {
    const { stdout, error } = spawnSync(`${program}-save`, ['-t', 'filter'], { encoding: 'utf8' })
    if (error) return []
    const rules = stdout.split('\n').filter((line) => line.startsWith('-A ') && line.includes(comment))
    return rules.length === 0 ? [] : [{ program, rules }]
  })
}

function installTag(root) {
  return createHash('sha256').update(root).digest('hex').slice(0, 8)
}

/** mountinfo escapes space, tab, newline and backslash as octal numbers. */
function unescape(path) {
  return path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))
}
