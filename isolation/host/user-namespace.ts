import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, writeFileSync } from 'node:fs'
import { Fault, messageOf } from '../../base/errors.js'

/**
 * Makes a user namespace with these maps, in the format of the kernel. Returns a path of it for nsenter(1). It exists as
 * long as this process, because a descriptor keeps it: no process has to stay in it, and nothing has to be cleaned up.
 *
 * unshare(1) can write no map of several ranges, and asks newuidmap(1), which allows only what /etc/subuid grants to its
 * caller. A parent with CAP_SETUID writes any map.
 *
 * Throws `Fault` (`user-namespace-failed`).
 */
export async function makeUserNamespace(uidMap: string, gidMap: string): Promise<string> {
  // It answers when it is in the new namespace, and stays until the maps are written.
  const child = spawn('unshare', ['--user', '--', '/bin/sh', '-c', 'echo made; read -r _'])
  const closed = new Promise((resolve) => child.once('close', resolve))
  let stderr = ''
  child.on('error', (error) => (stderr += error.message))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  try {
    await Promise.race([once(child.stdout, 'data'), closed.then(() => Promise.reject(new Error(stderr.trim())))])
    writeFileSync(`/proc/${child.pid}/uid_map`, uidMap)
    writeFileSync(`/proc/${child.pid}/gid_map`, gidMap)
    return `/proc/${process.pid}/fd/${openSync(`/proc/${child.pid}/ns/user`, 'r')}`
  } catch (error) {
    throw new Fault(
      'user-namespace-failed',
      `A user namespace with the ids of the Docker Engine could not be made (${messageOf(error)}): stagerd needs root, and user.max_user_namespaces above 0.`,
      { cause: error },
    )
  } finally {
    child.stdin.end()
    await closed
  }
}
