import { messageOf } from '../../../base/errors.js'
import { connectEngine, pingEngine } from '../../../isolation/engine/connect.js'

/** Engine tests fail where they cannot run: a skipped test would look like a passed one. */
export async function setup(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error('These tests mount and set firewall rules: run them as root, or the fast ones with --project fast.')
  try {
    await pingEngine(connectEngine())
  } catch (error) {
    throw new Error(`These tests need a Docker Engine: ${messageOf(error)}`, { cause: error })
  }
}
