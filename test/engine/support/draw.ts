export interface Series {
  readonly name: string
  readonly unit: string
  /** Seconds since the begin, and the value. */
  readonly points: readonly (readonly [seconds: number, value: number])[]
}

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [900, 180, 70, 30, 30]

/** Draws each series over time in a diagram of its own, one below the other, as SVG. */
export function draw(all: readonly Series[]): string {
  const height = all.length * (HEIGHT + TOP + BOTTOM)
  const end = Math.max(1, ...all.flatMap(({ points }) => points.map(([seconds]) => seconds)))
  const diagrams = all.map((series, index) => diagram(series, end, index * (HEIGHT + TOP + BOTTOM) + TOP))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...diagrams,
    '</svg>',
    '',
  ].join('\n')
}

function diagram({ name, unit, points }: Series, end: number, top: number): string {
  const most = Math.max(1, ...points.map(([, value]) => value))
  const x = (seconds: number) => (LEFT + (seconds / end) * (WIDTH - LEFT - 10)).toFixed(1)
  const y = (value: number) => (top + HEIGHT - (value / most) * HEIGHT).toFixed(1)
  const line = points.map(([seconds, value]) => `${x(seconds)},${y(value)}`).join(' ')
  return [
    `<text x="${LEFT}" y="${top - 8}">${name}, ${unit}</text>`,
    `<path d="M${LEFT} ${top}V${top + HEIGHT}H${WIDTH - 10}" fill="none" stroke="gray"/>`,
    `<text x="${LEFT - 6}" y="${top + 4}" text-anchor="end">${Math.round(most)}</text>`,
    `<text x="${LEFT - 6}" y="${top + HEIGHT}" text-anchor="end">0</text>`,
    `<text x="${WIDTH - 10}" y="${top + HEIGHT + 16}" text-anchor="end">${Math.round(end)} s</text>`,
    `<polyline points="${line}" fill="none" stroke="steelblue"/>`,
  ].join('\n')
}
