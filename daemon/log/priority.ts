/** syslog(3) numbers of the levels of pino. */
const PRIORITIES: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 }

/** @param level of pino */
export function priorityOf(level: number): number {
  return PRIORITIES[level] ?? 6
}
