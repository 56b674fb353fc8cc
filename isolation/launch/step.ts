import type { ContainerStep, PrepareHooks } from '../isolation.js'

/** Runs `work`, and reports its duration, also if it fails. */
export type Step = <T>(name: ContainerStep, work: () => Promise<T>) => Promise<T>

export function timedBy(hooks: PrepareHooks): Step {
  return async (name, work) => {
    const startedAt = performance.now()
    try {
      return await work()
    } finally {
      hooks.step?.(name, performance.now() - startedAt)
    }
  }
}
