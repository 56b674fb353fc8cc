import { createInterface } from 'node:readline/promises'
import type { Session } from './session.js'

/** Asks for confirmation on a terminal. Without a terminal, or with `--batch` or `--json`, the answer is yes. */
export async function confirm(session: Session, question: string): Promise<boolean> {
  const { stdin, stderr } = session.io
  if (session.batch || session.output.json || stdin.isTTY !== true || !stderr.isTTY) return true
  const prompt = createInterface({ input: stdin, output: stderr })
  // readline puts the terminal into raw mode, so Ctrl-C arrives as its event and not as a signal.
  prompt.on('SIGINT', () => session.interrupts.interrupt())
  try {
    const answer = await prompt.question(`${question} [y/N] `, { signal: session.signal })
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    session.signal.throwIfAborted()
    throw error
  } finally {
    prompt.close()
  }
}
