import { onTestFinished } from 'vitest'
import { Coordinator } from '../../daemon/coordinator/coordinator.js'
import type { CoordinatorLimits } from '../../daemon/coordinator/coordinator-limits.js'
import type { CoordinatorListener } from '../../daemon/coordinator/coordinator-listener.js'
import { MemoryLaunchHandler } from './memory-launch-handler.js'

export interface OpenCoordinator {
  readonly handler: MemoryLaunchHandler
  readonly listener: CoordinatorListener
  /** STAGER_URL. */
  readonly url: string
  /** Without the UUID. */
  readonly origin: string
  /** What would be in the daemon's log. */
  readonly logged: readonly unknown[]
}

/** A listener on loopback with a handler in memory, closed when the test is over. */
export async function openCoordinator(limits: Partial<CoordinatorLimits> = {}): Promise<OpenCoordinator> {
  const logged: unknown[] = []
  const coordinator = new Coordinator({ logger: { error: (entry: unknown) => logged.push(entry) }, limits })
  const handler = new MemoryLaunchHandler()
  const listener = await coordinator.open(handler, '127.0.0.1')
  onTestFinished(() => listener.close())
  return { handler, listener, url: listener.url, origin: new URL(listener.url).origin, logged }
}
