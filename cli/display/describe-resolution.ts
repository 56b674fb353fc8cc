import type { Resolution } from '../../daemon/documents/resolution.js'
import type { Style } from './style.js'

const COLOURS = [
  [' taken, ', 'green'],
  [' refused, ', 'red'],
  [' passed over, ', 'dim'],
] as const

/** The closure from the operating system upward; with the explanation, in the daemon's own words, before it. */
export function describeResolution(style: Style, { subject, packages, explanation }: Resolution, why: boolean): string {
  const closure =
    packages.length === 0
      ? [`${subject} needs nothing.`]
      : [`${subject} stands on, from the lowest upward:`, ...packages.map(({ fqn }) => `  ${fqn}`)]
  if (!why || explanation.length === 0) return closure.join('\n')
  return [...explanation.map((line) => paint(style, line)), '', ...closure].join('\n')
}

function paint(style: Style, line: string): string {
  const found = line.startsWith('  ') ? COLOURS.find(([verdict]) => line.includes(verdict)) : undefined
  return found ? line.replace(found[0], (verdict) => style(found[1], verdict)) : line
}
