/**
 * One class for each decision that a caller makes. `code` is stable and meant for programs; the message is one
 * sentence for people that says what is wrong and what would be right.
 */
export abstract class StagerdError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The request can never succeed as it stands: correct it. */
export class BadInput extends StagerdError {}

/** Nothing goes by that name. */
export class NotFound extends StagerdError {}

/** The request is fine, but not in the present state: the name is taken, the thing is in use, the moment has passed. */
export class Conflict extends StagerdError {}

/** Policy or a quota says no. */
export class Refused extends StagerdError {}

/** More bytes, entries or depth than a limit allows. */
export class TooLarge extends StagerdError {}

/** Dependencies that nothing provides, or that cannot stand together. The message holds the explanation, line by line. */
export class Unresolved extends StagerdError {}

/** Not now: the Engine is down, the disk is full, the daemon is stopping. The same request may succeed later. */
export class Unavailable extends StagerdError {}

/** A fault of our own, or of the host below us. */
export class Fault extends StagerdError {}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The errno name (`ENOSPC`, `EADDRINUSE`…) of a system error, if it is one. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}
