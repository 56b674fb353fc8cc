import type { KeptContainer } from '../documents/kept.js'
import type { KeptLaunch } from '../staging/kept-launches.js'

export function renderKept(kept: KeptLaunch): KeptContainer {
  return {
    staging: kept.staging,
    package: kept.packageFqn,
    stager: kept.stagerFqn,
    since: kept.since.toISOString(),
    until: kept.until.toISOString(),
    shells: kept.shells,
    ...(kept.usedBytes === undefined ? {} : { used_bytes: kept.usedBytes }),
  }
}
