/** With less than this, no program can run. */
export const SMALLEST_LIMITS = {
  memoryBytes: 6 * 1024 * 1024,
  /** The container init and the program. */
  pids: 2,
  diskBytes: 1024 * 1024,
  timeoutMs: 1000,
} as const
