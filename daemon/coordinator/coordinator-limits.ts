/** What one launch may ask of its listener. A stager that wants more harms itself and nobody else. */
export interface CoordinatorLimits {
  /** Open connections of one launch; further ones are closed as they come. */
  readonly sockets: number
  /** For the headers of a request to arrive whole, in milliseconds, idle time before the first one included. */
  readonly headerMs: number
  /** Request line and headers together. */
  readonly headerBytes: number
  /**
   * How long a connection may rest between requests, in milliseconds. As long as the longest ordinary launch: a stager
   * that compiles for minutes and then posts its verdict on the connection it has must not find it closed.
   */
  readonly keepAliveMs: number
  /**
   * A body, in either direction, moves at least `paceBytes` in `paceMs` milliseconds. A rate and not a total: a large
   * upload over a slow path takes its time, and a stalled one is ended.
   */
  readonly paceMs: number
  readonly paceBytes: number
  /** Of a form, and of the body of a verdict, which has no business to be there. */
  readonly formBytes: number
  readonly formFields: number
  /** Downloads of the data at once: each may cost a process that recompresses. */
  readonly downloads: number
  /** How long the rest of a refused body is read and thrown away, so that its sender gets to read the refusal. */
  readonly lingerMs: number
  /** What `close` leaves an answered verdict to get out, in milliseconds. */
  readonly closeMs: number
}

export const COORDINATOR_LIMITS: CoordinatorLimits = {
  sockets: 256,
  headerMs: 10_000,
  headerBytes: 16 * 1024,
  keepAliveMs: 600_000,
  paceMs: 60_000,
  paceBytes: 60 * 1024,
  formBytes: 256 * 1024,
  formFields: 32,
  downloads: 8,
  lingerMs: 10_000,
  closeMs: 500,
}
