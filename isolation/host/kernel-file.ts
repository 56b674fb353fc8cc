import { readFileSync, readlinkSync } from 'node:fs'

/**
 * The text of a file of /proc, of /sys or of a control group. The kernel makes it in memory at the moment of the call, so that
 * nobody waits for a disk. A thread for the call, as `readFile` takes one for each of its steps, costs ten times as much as the
 * call.
 *
 * Throws what `readFileSync` throws.
 */
export function readKernelFile(path: string): string {
  return readFileSync(path, 'utf8')
}

/** The target of a symbolic link of /proc, for the same reason. Throws what `readlinkSync` throws. */
export function readKernelLink(path: string): string {
  return readlinkSync(path)
}
