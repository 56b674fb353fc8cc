/** An archive that some attacker would send, and what must happen to it at every door: uploads, and unpacking. */
export type HostileArchive = RefusedArchive | AcceptedArchive

export interface RefusedArchive {
  readonly what: string
  readonly archive: Buffer
  /** The code of the refusal. */
  readonly code: string
  /** A part of the error message: the name of the invalid entry, if there is one. */
  readonly names?: string
  /** Unpacking is not as strict about what a decompressor says as an upload is, because every archive was uploaded once. */
  readonly unpacks?: true
}

export interface AcceptedArchive {
  readonly what: string
  readonly archive: Buffer
  /** What is unpacked, by path as bytes in latin1: `directory`, `file CONTENT`, `file of N`, or `link TARGET`. */
  readonly becomes: Readonly<Record<string, string>>
}
