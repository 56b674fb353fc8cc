import type { ContainerStep, PrepareHooks } from '../isolation.js'

/** Does `work`, and reports how long it took, whatever became of it. */
export type Step = <T>(name: ContainerStep, work: () => Promise<T>) => Promise<T>

export function timedBy(hooks: PrepareHooks): Step {
  return async (name, work) => {
    const began = performance.now()
    try {
      return await work()
    } finally {
      hooks.step?.(name, performance.now() - began)
    }
  }
}
