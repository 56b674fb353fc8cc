import type { MinimumRate } from '../http/request-body.js'

/** Limits of one launch's listener. A stager that exceeds them harms only itself. */
export interface CoordinatorLimits {
  /** Open connections. Further ones are closed on arrival. */
  readonly sockets: number
  /** For the headers of a request to arrive, in milliseconds, from the connection or from the first byte. */
  readonly headerMs: number
  /** Request line and headers together. */
  readonly headerBytes: number
  /**
   * How long a connection may be idle between requests, in milliseconds. As long as the longest ordinary launch: a
   * stager that compiles for minutes and then posts its verdict on the same connection must find it open.
   */
  readonly keepAliveMs: number
  /** Of a body, in either direction. A rate and not a total: a large upload over a slow link takes its time. */
  readonly minRate: MinimumRate
  /** Of a form, and of the body of a verdict, which should be empty. */
  readonly formBytes: number
  readonly formFields: number
  /** Concurrent downloads of the data: each may need a process that recompresses. */
  readonly downloads: number
  /**
   * How long the unread rest of a body is read and discarded, in milliseconds, so that a client that is still sending
   * reads the answer instead of a reset (nginx calls this a lingering close).
   */
  readonly lingerMs: number
  /** How long `close` waits for the answer to a verdict, in milliseconds. */
  readonly closeMs: number
}

export const COORDINATOR_LIMITS: CoordinatorLimits = {
  sockets: 256,
  headerMs: 10_000,
  headerBytes: 16 * 1024,
  keepAliveMs: 600_000,
  minRate: { bytes: 60 * 1024, windowMs: 60_000 },
  formBytes: 256 * 1024,
  formFields: 32,
  downloads: 8,
  lingerMs: 10_000,
  closeMs: 500,
}
