/**
 * The processor time that this process needs for `work`, in milliseconds. Unlike the time of a clock, it does not grow
 * when other processes keep the processors busy.
 */
export async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
