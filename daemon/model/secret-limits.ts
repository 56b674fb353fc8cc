/** How many secrets a staging has at most, and a stager. */
export const MOST_SECRETS = 32

export const LARGEST_SECRET_BYTES = 64 * 1024

/** A shorter one cannot be hidden in a log, where so few bytes are everywhere. Line breaks at its end do not count. */
export const SHORTEST_SECRET_BYTES = 4
