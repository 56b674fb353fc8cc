import bytes from 'bytes'
import { Refused } from '../../base/errors.js'

/** The maximum length of a package's resource, in bytes, by the namespace of the package. */
export type QuotaFor = (namespace: string) => number | Promise<number>

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
    `A package in ${namespace} may have ${bytes.format(quota, { unitSeparator: ' ' }) ?? quota} of data now, and this is more: make it smaller, delete unneeded packages, or have the quota raised.`,
  )
}
