import { styleText } from 'node:util'
import type { Io, Terminal } from '../terminal/io.js'

type Format = Parameters<typeof styleText>[0]

/** Paints text, or leaves it as it is. */
export type Style = (format: Format, text: string) => string

/** Colours for a terminal, unless NO_COLOR (no-color.org) or a dumb terminal speaks against it. */
export function styleFor(stream: Terminal, env: Io['env']): Style {
  const wanted = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  // Our own decision, above, takes the place of styleText's own one about the process's stdout.
  return wanted ? (format, text) => styleText(format, text, { validateStream: false }) : (_format, text) => text
}
