import { readFile } from 'node:fs/promises'
import { runProcess } from '../base/run-process.js'

/**
 * The id of a group of the host. `getent` also knows the groups of directory services; where it is missing, /etc/group
 * is read.
 *
 * @param group a name or an id
 */
export async function findGroup(group: string): Promise<number | undefined> {
  const gid = Number((await lineOf(group))?.split(':')[2])
  return Number.isInteger(gid) ? gid : undefined
}

/** The id itself if the group has no name. */
export async function nameOfGroup(gid: number): Promise<string> {
  return (await lineOf(String(gid)))?.split(':')[0] ?? String(gid)
}

/** In the format of /etc/group. */
async function lineOf(group: string): Promise<string | undefined> {
  const lines = await readGroups(group)
  return lines.split('\n').find((line) => {
    const [name, , gid] = line.split(':')
    return name === group || gid === group
  })
}

async function readGroups(group: string): Promise<string> {
  try {
    return (await runProcess('getent', ['group', '--', group], { timeoutMs: 10_000 })).stdout
  } catch {
    // Not found, or no getent.
    return await readFile('/etc/group', 'utf8').catch(() => '')
  }
}
