import { chmod, chown, lstat, mkdir, readFile, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { BadInput, Conflict, errnoOf } from '../base/errors.js'

/**
 * Make way for the control socket: its directory, and a socket that a killed daemon has left.
 *
 * Throws `Conflict` (`socket-in-use`) when somebody answers there, `BadInput` (`not-a-socket`) for a file of another
 * kind, which stays as it is: a mistyped path must not cost anybody a file.
 */
export async function prepareSocketPath(socket: string): Promise<void> {
  await mkdir(path.dirname(socket), { recursive: true })
  if (await answers(socket))
    throw new Conflict('socket-in-use', `Another daemon answers on ${socket}: stop it, or use another with --socket.`)
  try {
    if (!(await lstat(socket)).isSocket())
      throw new BadInput('not-a-socket', `${socket} is there and not a socket: name another path with --socket.`)
    await unlink(socket)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** Mode 0660, for the group's members. Whoever may write to the socket commands this host, like Docker's own. */
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
