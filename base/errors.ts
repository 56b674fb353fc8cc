/** One for each decision of a caller. A table by kind, such as that of the HTTP statuses, does not compile without all. */
export type ErrorKind =
  | 'bad-input'
  | 'not-runnable'
  | 'not-found'
  | 'conflict'
  | 'unauthenticated'
  | 'refused'
  | 'too-many-requests'
  | 'too-large'
  | 'unresolved'
  | 'unavailable'
  | 'fault'

/**
 * One subclass for each kind. `code` is stable and meant for programs. The message is one sentence for
 * people: it says what is wrong and what would be right.
 */
export abstract class StagerdError extends Error {
  abstract readonly kind: ErrorKind

  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The request can never succeed unless it is changed. */
export class BadInput extends StagerdError {
  override readonly kind = 'bad-input'
}

/** The program of a stager or a run, or its root, cannot run as it is. */
export class NotRunnable extends StagerdError {
  override readonly kind = 'not-runnable'
}

/** There is nothing with that name. */
export class NotFound extends StagerdError {
  override readonly kind = 'not-found'
}

/** The request is valid, but not in the current state: the name is taken, the resource is in use, the launch has ended. */
export class Conflict extends StagerdError {
  override readonly kind = 'conflict'
}

/** Who asks does not say who it is, or does not prove it. */
export class Unauthenticated extends StagerdError {
  override readonly kind = 'unauthenticated'
}

/** Who asks must wait before it asks again. */
export class TooManyRequests extends StagerdError {
  override readonly kind = 'too-many-requests'
}

/** A policy or a quota forbids it, or the token of the caller does not permit it. */
export class Refused extends StagerdError {
  override readonly kind = 'refused'
}

/** It exceeds a limit of bytes, entries or depth. */
export class TooLarge extends StagerdError {
  override readonly kind = 'too-large'
}

/** Dependencies that no package provides, or that conflict. The message explains it line by line. */
export class Unresolved extends StagerdError {
  override readonly kind = 'unresolved'
}

/** The same request may succeed later: the Engine is down, the disk is full, the daemon is stopping. */
export class Unavailable extends StagerdError {
  override readonly kind = 'unavailable'
}

/** An internal error of stagerd, or an error of the host. */
export class Fault extends StagerdError {
  override readonly kind = 'fault'
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The errno name (`ENOSPC`, `EADDRINUSE`…) of a system error; undefined for other errors. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}
