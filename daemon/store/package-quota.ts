import bytes from 'bytes'
import { Refused } from '../../base/errors.js'

/** The maximum length of the next resource of a package, in bytes, by the namespace of the package. */
export type QuotaFor = (namespace: string) => number | Promise<number>

/**
 * Refuses data that is too large before it is received. The store decides again when a package gets the data, because
 * several uploads at once see the same quota.
 */
export class PackageQuota {
  constructor(readonly of: QuotaFor) {}

  /** Throws `Refused` (`package-quota`). */
  async assert(namespace: string, length: number): Promise<void> {
    const quota = await this.of(namespace)
    if (length > quota) throw overQuota(namespace, quota)
  }
}

export function overQuota(namespace: string, quota: number): Refused {
  return refused(
    `A package in ${namespace} may have ${inUnits(quota)} of data now, and this is more: make it smaller, delete unneeded packages, or have the quota raised.`,
  )
}

export function overPackageSize(namespace: string, length: number, quota: number): Refused {
  return refused(
    `A package in ${namespace} may have ${inUnits(quota)} of data, and this one has ${inUnits(length)}: make it smaller, or have the quota raised.`,
  )
}

export function overTotal(realm: string, used: number, quota: number): Refused {
  return refused(
    `All packages in ${realm} together may have ${inUnits(quota)} of data, and with this they would have ${inUnits(used)}: make it smaller, delete unneeded packages, or have the quota raised.`,
  )
}

function refused(message: string): Refused {
  return new Refused('package-quota', message)
}

function inUnits(length: number): string {
  return bytes.format(length, { unitSeparator: ' ' }) ?? `${length} B`
}
