import { ACCEPTED } from './accepted.js'
import { compressedArchives } from './bombs.js'
import { BY_CARRIER } from './carriers.js'
import type { HostileArchive } from './hostile-archive.js'
import { LIES } from './lies.js'
import { ONE_OF_EACH } from './refused.js'

export function allArchives(): readonly HostileArchive[] {
  return [...ONE_OF_EACH, ...BY_CARRIER, ...LIES, ...compressedArchives(), ...ACCEPTED]
}
