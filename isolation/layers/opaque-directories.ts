import { runProcess } from '../../base/run-process.js'

/**
 * Mark directories of a tree of ours opaque, as overlayfs does. Needs root: attributes of `trusted` take CAP_SYS_ADMIN.
 * In one process for any number, and by way of a file so that names may be any bytes.
 */
export async function markOpaque(tree: string, paths: readonly string[], signal: AbortSignal): Promise<void> {
  if (paths.length === 0) return
  const input = paths.map((path) => `# file: ${escaped(path)}\ntrusted.overlay.opaque="y"\n\n`).join('')
  await runProcess('setfattr', ['--no-dereference', '--restore=-'], { cwd: tree, input, signal })
}

/** As getfattr writes names: anything unusual as three octal digits. */
function escaped(path: string): string {
  return path.replace(/[^A-Za-z0-9._/-]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
