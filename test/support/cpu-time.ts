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

/**
 * The processor time of the longest turn of the event loop during `work`, in milliseconds: for so long no other request
 * would have been answered.
 */
export async function longestTurnOf(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let before = process.cpuUsage()
  const turn = () => {
    const { user, system } = process.cpuUsage(before)
    longest = Math.max(longest, (user + system) / 1000)
    before = process.cpuUsage()
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  try {
    await work()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    clearImmediate(next)
  }
  return longest
}
