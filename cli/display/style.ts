import { styleText } from 'node:util'
import type { Io } from '../terminal/io.js'
import type { Terminal } from '../terminal/terminal.js'

type Format = Parameters<typeof styleText>[0]

/** Adds colours and text styles, or returns the text unchanged. */
export type Style = (format: Format, text: string) => string

/** Colours on a terminal, unless NO_COLOR (no-color.org) is set or TERM is `dumb`. */
export function styleFor(stream: Terminal, env: Io['env']): Style {
  const wanted = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  // Without `validateStream: false`, styleText checks the stdout of the process instead of `stream`.
  return wanted ? (format, text) => styleText(format, text, { validateStream: false }) : (_format, text) => text
}
