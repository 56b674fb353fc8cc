import { readFile } from 'node:fs/promises'
import { BadInput, messageOf } from '../base/errors.js'

/**
 * A seccomp profile as JSON; undefined for that of stagerd.
 *
 * Throws `BadInput` (`bad-seccomp-profile`). Without a default action the Engine filters nothing and says nothing, so such
 * a file is refused; what else may be wrong with a profile, the Engine tells at each launch.
 */
export async function loadSeccompProfile(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  let profile: unknown
  try {
    profile = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw bad(`The seccomp profile ${file} cannot be read: ${messageOf(error)}.`, error)
  }
  const action = profile instanceof Object && 'defaultAction' in profile ? profile.defaultAction : undefined
  if (typeof action !== 'string' || action === '')
    throw bad(`${file} has no defaultAction: seccomp-profile must name a seccomp profile in the format of Docker.`)
  return JSON.stringify(profile)
}

function bad(message: string, cause?: unknown): BadInput {
  return new BadInput('bad-seccomp-profile', message, { cause })
}
