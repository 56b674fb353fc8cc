import { expect } from 'vitest'
import { Coordinator } from '../../daemon/coordinator/coordinator.js'
import type { CoordinatorLimits } from '../../daemon/coordinator/coordinator-limits.js'
import type { CoordinatorListener } from '../../daemon/coordinator/coordinator-listener.js'
import type { MinimumRate } from '../../daemon/http/request-body.js'
import { atTestEnd } from './at-test-end.js'
import { MemoryLaunchHandler } from './memory-launch-handler.js'
import { RawClient } from './raw-client.js'

export interface OpenCoordinator {
  readonly handler: MemoryLaunchHandler
  readonly listener: CoordinatorListener
  /** STAGER_URL. */
  readonly url: string
  /** Without the UUID. */
  readonly origin: string
  /** What the daemon would log. */
  readonly logged: readonly unknown[]
}

/** A listener on loopback with a handler in memory. It is closed at the end of the test. */
export async function openCoordinator(limits: Partial<CoordinatorLimits> = {}): Promise<OpenCoordinator> {
  const logged: unknown[] = []
  const coordinator = new Coordinator({ logger: { error: (entry: unknown) => logged.push(entry) }, limits })
  const handler = new MemoryLaunchHandler()
  const listener = await coordinator.open(handler, '127.0.0.1')
  handler.freezeHooks = listener.freezeHooks
  atTestEnd(() => listener.close())
  return { handler, listener, url: listener.url, origin: new URL(listener.url).origin, logged }
}

/** A connection to the listener. It is closed at the end of the test. */
export async function connectRaw({ url }: OpenCoordinator): Promise<RawClient> {
  const client = await RawClient.connect(url)
  atTestEnd(() => client.end())
  return client
}

/** The headers of a `GET`. */
export function get({ handler }: OpenCoordinator, operation: string): readonly string[] {
  return [`GET /${handler.launch}/${operation} HTTP/1.1`, 'Host: x']
}

/**
 * Wait until a coordinator with this minimum rate has watched bodies for so many whole windows. It is another one than the
 * coordinator under test, and refuses a form whose body does not arrive at the end of each window.
 */
export async function rateWindows(minRate: MinimumRate, windows: number): Promise<void> {
  const other = await openCoordinator({ minRate })
  for (let window = 0; window < windows; window++) {
    const client = await connectRaw(other)
    client.send([`PUT /${other.handler.launch}/meta HTTP/1.1`, 'Host: x', 'Content-Length: 10'])
    await expect.poll(() => client.received, { timeout: 5_000 }).toContain('came too slowly')
    client.end()
  }
}
