import { extendedHeader, tarBlock } from '../../base/tar-blocks.js'

/**
 * A member that stagerd writes itself, because there is no file on disk to archive: empty, owned by root, with time 0
 * and mode 0. GNU tar writes all other members.
 */
export interface EmptyMember {
  /** Bytes as latin1, from the root, without a leading slash. */
  readonly path: string
  /** A character device has the numbers 0:0, as an overlayfs whiteout. */
  readonly kind: 'file' | 'character-device'
}

const NAME_FIELD = 100

/** The blocks of the member. A path that is too long for the header is written to an extended header before it. */
export function emptyMember({ path, kind }: EmptyMember): Buffer {
  const type = kind === 'file' ? '0' : '3'
  if (path.length <= NAME_FIELD) return tarBlock({ name: path, type })
  return Buffer.concat([extendedHeader('path', path, 'PaxHeaders/path'), tarBlock({ name: 'long', type })])
}
