import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Fault } from '../../base/errors.js'
import type { OverlayMarks } from './overlay-entry.js'

const PATTERN = '^trusted\\.overlay\\.(opaque|redirect|metacopy|whiteout)$'

/**
 * The attributes by which overlayfs says something of an entry, for each that has any; by path from `upper`, bytes as
 * latin1. What it keeps for itself (`origin`, `impure`, `nlink`, `upper`) is none of them.
 *
 * Node has no calls for extended attributes: `getfattr` asks for all of a tree in one process. Needs CAP_SYS_ADMIN, or
 * the kernel hides `trusted.*`.
 */
export async function readOverlayMarks(upper: string, signal?: AbortSignal): Promise<Map<string, OverlayMarks>> {
  const getfattr = spawn('getfattr', ['-R', '-P', '-h', '-d', '-m', PATTERN, '--', '.'], {
    cwd: upper,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' },
    signal,
    killSignal: 'SIGKILL',
  })
  // With a signal that is aborted already `once` below rejects before it listens; the error of the child comes a tick
  // later, and would end the daemon if nobody heard it.
  getfattr.on('error', () => undefined)
  let stderr = ''
  let stdout = ''
  getfattr.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-1000)))
  getfattr.stdout.setEncoding('latin1').on('data', (text: string) => (stdout += text))
  await once(getfattr, 'close', { signal })
  if (getfattr.exitCode !== 0)
    throw new Fault(
      'attributes-unreadable',
      `The attributes of what the container changed could not be read: ${stderr.trim() || 'getfattr was killed'}.`,
    )
  return parseDump(stdout)
}

/** The format of `getfattr --dump`: odd bytes of names and values as three octal digits. */
export function parseDump(dump: string): Map<string, OverlayMarks> {
  const all = new Map<string, OverlayMarks>()
  for (const paragraph of dump.split('\n\n')) {
    const [head = '', ...lines] = paragraph.split('\n')
    if (!head.startsWith('# file: ')) continue
    const marks = lines.flatMap((line): [string, string][] => {
      const [, name, value] = /^trusted\.overlay\.([a-z]+)(?:="?(.*?)"?)?$/s.exec(line) ?? []
      return name === undefined ? [] : [[name, plain(value ?? '')]]
    })
    all.set(plain(head.slice('# file: '.length)), new Map(marks))
  }
  return all
}

function plain(text: string): string {
  return text.replace(/\\([0-7]{3}|\\)/g, (_, code: string) =>
    code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  )
}
