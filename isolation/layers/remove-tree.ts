import { runProcess } from '../../base/run-process.js'

/** Uses `rm` because names can be any bytes, which Node.js would decode. Also removes directories without permissions. */
export async function removeTree(path: string): Promise<void> {
  await runProcess('rm', ['-rf', '--one-file-system', '--', path])
}
