import type { Io } from '../terminal/io.js'

/**
 * Whether the locale of the user can show more than ASCII. stagectl itself writes ASCII otherwise; names, logs and
 * documents pass through as they are.
 */
export function isUtf8({ LC_ALL, LC_CTYPE, LANG }: Io['env']): boolean {
  // By POSIX, the first one that is set and not empty counts.
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '')
}
