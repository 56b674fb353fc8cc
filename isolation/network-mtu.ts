/** The MTU of the networks of launches, in bytes. `uplink`: that of the interface with the default route. */
export type NetworkMtu = 'uplink' | number

/** IPv6 needs this much; the kernel takes IPv6 away from an interface with less (RFC 8200). */
export const SMALLEST_MTU = 1280

/** The longest IP packet. */
export const LARGEST_MTU = 65_535
