/**
 * A shorter and plainer input that still fails. It removes pieces, halving their length, and then makes bytes plain.
 *
 * @param fails whether an input fails in the same way
 * @param deadline by `performance.now()`
 */
export async function shrink(
  input: Buffer,
  fails: (candidate: Buffer) => Promise<boolean>,
  deadline: number,
): Promise<Buffer> {
  let best = input
  const attempt = async (candidate: Buffer) => {
    if (performance.now() > deadline || candidate.equals(best) || !(await fails(candidate))) return false
    best = candidate
    return true
  }
  for (let before = -1; before !== best.length && performance.now() < deadline;) {
    before = best.length
    for (let length = Math.ceil(best.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2))
      for (let at = 0; at < best.length && performance.now() < deadline;) {
        const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + length)])
        if (!(await attempt(shorter))) at += length
      }
  }
  if (best.length > 2048) return best
  for (let at = 0; at < best.length && performance.now() < deadline; at++)
    for (const plain of ['a', '0', ' ']) {
      if (best[at] === plain.charCodeAt(0)) break
      const plainer = Buffer.from(best)
      plainer[at] = plain.charCodeAt(0)
      if (await attempt(plainer)) break
    }
  return best
}
