import { createInterface } from 'node:readline/promises'
import type { Session } from './session.js'

/** Asks a person at a terminal; where there is none, and with `--batch` or `--json`, the answer is yes. */
export async function confirm(session: Session, question: string): Promise<boolean> {
  const { stdin, stderr } = session.io
  if (session.batch || session.output.json || stdin.isTTY !== true || stderr.isTTY !== true) return true
  const dialogue = createInterface({ input: stdin, output: stderr })
  // At a prompt the terminal is the dialogue's own: Ctrl-C arrives there, and as no signal.
  dialogue.on('SIGINT', () => session.interrupts.interrupt())
  try {
    const answer = await dialogue.question(`${question} [y/N] `, { signal: session.signal })
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    session.signal.throwIfAborted()
    throw error
  } finally {
    dialogue.close()
  }
}
