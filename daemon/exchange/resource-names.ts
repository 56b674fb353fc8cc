/** Names of resources in an exchange file. Other programs expect them, whatever the compression. */
const PATTERN = /^PACKAGE_RESOURCE_[0-9]{4,}\.tar\.gz$/

export function isResourceName(name: string): boolean {
  return PATTERN.test(name)
}

/** @param number from 1 */
export function resourceName(number: number): string {
  return `PACKAGE_RESOURCE_${String(number).padStart(4, '0')}.tar.gz`
}
