import { access, constants } from 'node:fs/promises'

const DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Whether the host has `name` in one of the directories in which stagerd looks for programs. */
export async function hasProgram(name: string): Promise<boolean> {
  for (const directory of DIRECTORIES) {
    try {
      await access(`${directory}/${name}`, constants.X_OK)
      return true
    } catch {
      // Try the next directory.
    }
  }
  return false
}
