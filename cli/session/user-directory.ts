import { homedir } from 'node:os'
import path from 'node:path'
import type { Io } from '../terminal/io.js'

const KINDS = { config: ['XDG_CONFIG_HOME', '.config'], cache: ['XDG_CACHE_HOME', '.cache'] } as const

/**
 * The directory of stagectl in the user's directory of this kind. By the XDG specification, an empty or relative variable
 * counts as unset; so does such a HOME, which would put the directory into the current one.
 */
export function userDirectory(kind: keyof typeof KINDS, env: Io['env']): string {
  const [variable, fallback] = KINDS[kind]
  const base = absolute(env[variable]) ?? path.join(absolute(env['HOME']) ?? homeOfUser(), fallback)
  return path.join(base, 'stagectl')
}

/** What would be right when the directory cannot be used. */
export function remedyOf(kind: keyof typeof KINDS): string {
  return `set ${KINDS[kind][0]} to a directory that you can write`
}

function absolute(directory: string | undefined): string | undefined {
  return directory !== undefined && path.isAbsolute(directory) ? directory : undefined
}

/** A user of a container may have no home. */
function homeOfUser(): string {
  try {
    return absolute(homedir()) ?? '/'
  } catch {
    return '/'
  }
}
