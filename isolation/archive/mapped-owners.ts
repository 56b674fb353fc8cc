import type { IdMap } from './id-map.js'

/**
 * The owners of files on a host whose Engine remaps the ids of containers (`--userns-remap`). Archives have the ids of
 * containers, and the disk has those that they stand for. Where no owners are given, both are the same.
 */
export interface MappedOwners {
  readonly uids: IdMap
  readonly gids: IdMap
  /** Path of a user namespace with these maps: programs in it see the ids of containers. */
  readonly namespace: string
}

export interface OwnerIds {
  readonly uid: number
  readonly gid: number
}

/** The owner on the disk of what belongs to the root of containers. */
export function rootOnDisk(owners: MappedOwners | undefined): OwnerIds {
  return { uid: owners?.uids.outside(0) ?? 0, gid: owners?.gids.outside(0) ?? 0 }
}

/** The owner, as archives and containers have it, of a file on the disk; undefined where they can have none. */
export function ownerInside(owner: OwnerIds, owners: MappedOwners | undefined): OwnerIds | undefined {
  if (!owners) return owner
  const [uid, gid] = [owners.uids.inside(owner.uid), owners.gids.inside(owner.gid)]
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}
