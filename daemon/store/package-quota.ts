import bytes from 'bytes'
import { Refused } from '../../base/errors.js'

/** How long the resource of a package may be, in bytes, by the namespace that the package is in. */
export type QuotaFor = (namespace: string) => number | Promise<number>

/** Refuses at the first moment at which it can be known. */
export class PackageQuota {
  constructor(readonly of: QuotaFor) {}

  /** Throws `Refused` (`package-quota`). */
  async assert(namespace: string, length: number): Promise<void> {
    const quota = await this.of(namespace)
    if (length > quota) throw overQuota(namespace, quota)
  }
}

export function overQuota(namespace: string, quota: number): Refused {
  return new Refused(
    'package-quota',
    `A package in ${namespace} may have ${bytes.format(quota, { unitSeparator: ' ' }) ?? quota} of data now, and this is more: make it smaller, delete what is not needed, or have the quota raised.`,
  )
}
