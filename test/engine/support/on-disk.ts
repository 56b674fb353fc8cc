/**
 * For what stagerd and Engines keep, which is on a disk. /tmp can be in memory, and what a container writes there would
 * count against its memory limit.
 */
export const ON_DISK = '/var/tmp'
