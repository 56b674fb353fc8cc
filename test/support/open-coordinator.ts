import { onTestFinished } from 'vitest'
import { Coordinator } from '../../daemon/coordinator/coordinator.js'
import type { CoordinatorLimits } from '../../daemon/coordinator/coordinator-limits.js'
import type { CoordinatorListener } from '../../isolation/isolation.js'
import { MemoryLaunchHandler } from './memory-launch-handler.js'

export interface OpenCoordinator {
  readonly handler: MemoryLaunchHandler
  readonly listener: CoordinatorListener
  /** STAGER_URL. */
  readonly url: string
  /** Without the UUID. */
  readonly origin: string
  /** The entries for the log of the daemon. */
  readonly logged: readonly unknown[]
}

/** Opens a listener on loopback with a handler in memory. It is closed at the end of the test. */
export async function openCoordinator(limits: Partial<CoordinatorLimits> = {}): Promise<OpenCoordinator> {
  const logged: unknown[] = []
  const coordinator = new Coordinator({ logger: { error: (entry: unknown) => logged.push(entry) }, limits })
  const handler = new MemoryLaunchHandler()
  const listener = await coordinator.open(handler, '127.0.0.1')
  onTestFinished(() => listener.close())
  return { handler, listener, url: listener.url, origin: new URL(listener.url).origin, logged }
}
