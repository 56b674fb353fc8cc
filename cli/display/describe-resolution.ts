import type { Resolution } from '../../daemon/documents/resolution.js'
import type { Style } from './style.js'

const COLOURS = [
  [' taken, ', 'green'],
  [' refused, ', 'red'],
  [' passed over, ', 'dim'],
] as const

/** The resolved packages, from the operating system up, and before them the explanation of the daemon if requested. */
export function describeResolution(
  style: Style,
  { subject, packages, explanation }: Resolution,
  explain: boolean,
): string {
  const closure =
    packages.length === 0
      ? [`${subject} has no dependencies.`]
      : [`${subject} resolves to, from the operating system up:`, ...packages.map(({ fqn }) => `  ${fqn}`)]
  if (!explain || explanation.length === 0) return closure.join('\n')
  return [...explanation.map((line) => paint(style, line)), '', ...closure].join('\n')
}

function paint(style: Style, line: string): string {
  const found = line.startsWith('  ') ? COLOURS.find(([verdict]) => line.includes(verdict)) : undefined
  return found ? line.replace(found[0], (verdict) => style(found[1], verdict)) : line
}
