import type { Finding } from '../isolation.js'

export function good(subject: string, message: string): Finding {
  return { subject, verdict: 'good', message }
}

/** Stagings work, but something is slower, or worse, than it could be. */
export function slow(subject: string, message: string): Finding {
  return { subject, verdict: 'slow', message }
}

export function bad(subject: string, message: string): Finding {
  return { subject, verdict: 'bad', message }
}
