import { chmod, chown, lstat, mkdir, readFile, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { BadInput, Conflict, errnoOf } from '../base/errors.js'

/**
 * Create the directory of the control socket, and remove a socket that a killed daemon left.
 *
 * Throws `Conflict` (`socket-in-use`) if a daemon answers on it, `BadInput` (`not-a-socket`) if the path is another kind
 * of file. That file is kept: a mistyped path must not delete it.
 */
export async function prepareSocketPath(socket: string): Promise<void> {
  await mkdir(path.dirname(socket), { recursive: true })
  if (await answers(socket))
    throw new Conflict(
      'socket-in-use',
      `Another daemon answers on ${socket}: stop it, or use another socket with --socket.`,
    )
  try {
    if (!(await lstat(socket)).isSocket())
      throw new BadInput('not-a-socket', `${socket} exists and is not a socket: use another path with --socket.`)
    await unlink(socket)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** Mode 0660, for members of the group. Write access gives control of this host, as with the socket of Docker. */
export async function restrictSocket(socket: string, group: string): Promise<void> {
  await chmod(socket, 0o660)
  const gid = await groupId(group)
  if (gid !== undefined) await chown(socket, process.getuid?.() ?? 0, gid)
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

async function groupId(name: string): Promise<number | undefined> {
  const groups = await readFile('/etc/group', 'utf8')
  const line = groups.split('\n').find((candidate) => candidate.startsWith(`${name}:`))
  const gid = Number(line?.split(':')[2])
  return Number.isInteger(gid) ? gid : undefined
}
