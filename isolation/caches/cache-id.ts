import { isUuid } from '../../base/identifiers.js'
import type { CacheOwner } from '../launch-plan.js'

export function cacheId({ packageUuid, stagerUuid }: CacheOwner): string {
  return `${packageUuid}.${stagerUuid}`
}

export function isCacheId(name: string): boolean {
  const [packageUuid = '', stagerUuid = '', ...rest] = name.split('.')
  return isUuid(packageUuid) && isUuid(stagerUuid) && rest.length === 0
}
