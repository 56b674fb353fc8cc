import { chmod, chown, lstat, mkdir, stat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { BadInput, Conflict, errnoOf } from '../base/errors.js'
import type { Finding } from '../isolation/isolation.js'
import { findGroup, nameOfGroup } from './host-groups.js'
import { unusablePath } from './unusable-path.js'

/**
 * Create the directory of the control socket, and remove a socket that a killed daemon left.
 *
 * Throws `Conflict` (`socket-in-use`) if a daemon answers on it, `BadInput` (`not-a-socket`) if the path is another kind
 * of file, and `BadInput` (`bad-socket`) if there can be no socket. That file is kept: a mistyped path must not delete it.
 */
export async function prepareSocketPath(socket: string): Promise<void> {
  try {
    await mkdir(path.dirname(socket), { recursive: true })
    if (await answers(socket))
      throw new Conflict(
        'socket-in-use',
        `Another daemon answers on ${socket}: stop it, or use another socket with --socket.`,
      )
    await removeStale(socket)
  } catch (error) {
    throw unusableSocket(error, socket)
  }
}

export function unusableSocket(error: unknown, socket: string): Error {
  const remedy = 'use another path with --socket'
  return unusablePath(error, { code: 'bad-socket', what: 'The control socket', path: socket, remedy })
}

async function removeStale(socket: string): Promise<void> {
  try {
    if (!(await lstat(socket)).isSocket())
      throw new BadInput('not-a-socket', `${socket} exists and is not a socket: use another path with --socket.`)
    await unlink(socket)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/**
 * Mode 0660, for members of the group. Write access gives control of this host, as with the socket of Docker.
 *
 * @returns whether the host has such a group; otherwise the socket keeps the group of the daemon
 */
export async function restrictSocket(socket: string, group: string): Promise<boolean> {
  await chmod(socket, 0o660)
  const gid = await findGroup(group)
  if (gid === undefined) return false
  await chown(socket, process.getuid?.() ?? 0, gid)
  return true
}

/** What is wrong when the group does not exist, and what to do. */
export function missingGroup(group: string): string {
  return `there is no group ${group} on this host, so that only root can use stagectl: create it (groupadd --system ${group}), add users to it, and restart stagerd; or set another one with --group`
}

/** Which group can use the socket, for `node doctor`. */
export async function examineSocket(socket: string, group: string): Promise<Finding> {
  const subject = 'control socket'
  const [gid, actual] = await Promise.all([
    findGroup(group),
    stat(socket).then(
      (stats) => stats.gid,
      () => undefined,
    ),
  ])
  if (actual === undefined) return { subject, verdict: 'bad', message: `${socket} was removed: restart stagerd` }
  if (gid === undefined) return { subject, verdict: 'slow', message: missingGroup(group) }
  if (gid === actual) return { subject, verdict: 'good', message: `members of the group ${group} can use ${socket}` }
  return {
    subject,
    verdict: 'slow',
    message: `${socket} belongs to the group ${await nameOfGroup(actual)}, because the group ${group} is newer than the socket: restart stagerd`,
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}
