import type { Line, Panel } from './panels.js'
import type { Range } from './prometheus.js'
import { format } from './units.js'

const COLUMN = 60
const ROW = 30
const GAP = 8
const MARGIN = { left: 70, right: 14, top: 34, bottom: 46 }
const COLOURS = [
  '#2f7ed8',
  '#e8710a',
  '#2a9d4a',
  '#c0392b',
  '#8e44ad',
  '#16858a',
  '#b7950b',
  '#7f5539',
  '#d6336c',
  '#555',
]
const LETTER = 6.2

/** One page with all panels, where a dashboard of Grafana has them. */
export function drawPage(
  title: string,
  panels: readonly { panel: Panel; lines: readonly Line[] }[],
  range: Range,
): string {
  const height = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h)) * ROW + GAP
  const drawn = panels.map(({ panel, lines }) => {
    const { x, y, w, h } = panel.gridPos
    const size = { width: w * COLUMN - GAP, height: h * ROW - GAP }
    const content = panel.type === 'stat' ? drawStat(panel, lines, size) : drawGraph(panel, lines, range, size)
    return `<g transform="translate(${x * COLUMN + GAP} ${y * ROW + GAP})">
<rect width="${size.width}" height="${size.height}" rx="3" fill="#fff" stroke="#d8dbe0"/>
<text x="12" y="20" font-weight="600">${escape(panel.title)}</text>${content}</g>`
  })
  return `<!doctype html><meta charset="utf-8"><title>${escape(title)}</title><style>body{margin:0}</style>
<svg xmlns="http://www.w3.org/2000/svg" width="${24 * COLUMN + GAP}" height="${height}" font-family="DejaVu Sans, sans-serif" font-size="11" fill="#24292f">
<rect width="100%" height="100%" fill="#f4f5f7"/>${drawn.join('\n')}</svg>\n`
}

interface Size {
  readonly width: number
  readonly height: number
}

function drawStat({ fieldConfig }: Panel, lines: readonly Line[], { width, height }: Size): string {
  const [, last = 0] = lines[0]?.points.at(-1) ?? []
  const text = escape(format(last, fieldConfig.defaults.unit))
  return `<text x="${width / 2}" y="${height / 2 + 24}" font-size="34" text-anchor="middle" fill="${COLOURS[2]}">${text}</text>`
}

function drawGraph(
  { fieldConfig }: Panel,
  lines: readonly Line[],
  { start, end }: Range,
  { width, height }: Size,
): string {
  const { unit } = fieldConfig.defaults
  const ticks = ticksUpTo(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value))), unit)
  const top = ticks.at(-1) ?? 1
  const x = (time: number) => MARGIN.left + ((time - start) / (end - start)) * (width - MARGIN.left - MARGIN.right)
  const y = (value: number) => height - MARGIN.bottom - (value / top) * (height - MARGIN.top - MARGIN.bottom)
  const grid = ticks.map(
    (tick) => `<path d="M${MARGIN.left} ${y(tick)}H${width - MARGIN.right}" stroke="#eceef1"/>
<text x="${MARGIN.left - 6}" y="${y(tick) + 4}" text-anchor="end" fill="#57606a">${escape(format(tick, unit))}</text>`,
  )
  const minutes = []
  for (let time = Math.ceil(start / 60) * 60; time < end; time += 60)
    minutes.push(
      `<text x="${x(time)}" y="${height - MARGIN.bottom + 15}" text-anchor="middle" fill="#57606a">${new Date(time * 1000).toISOString().slice(11, 16)}</text>`,
    )
  const curves = lines.map(({ points }, index) => {
    const [first] = points
    // A single point would be invisible as a line.
    const dots =
      points.length === 1 && first
        ? `<circle cx="${x(first[0])}" cy="${y(first[1])}" r="2.5" fill="${colourOf(index)}"/>`
        : ''
    return `<path d="${pathOf(points.map(([time, value]) => [time, x(time), y(value)]))}" fill="none" stroke="${colourOf(index)}" stroke-width="1.6" stroke-linejoin="round"/>${dots}`
  })
  return [...grid, ...minutes, ...curves, legend(lines, width, height)].join('\n')
}

/** Breaks where values are missing. Points are a step apart, and longer distances are gaps. */
function pathOf(points: readonly (readonly [time: number, x: number, y: number])[]): string {
  const step = Math.min(...points.slice(1).map(([time], index) => time - (points[index]?.[0] ?? 0)))
  return points
    .map(([time, x, y], index) => {
      const before = points[index - 1]
      return `${before && time - before[0] <= step * 1.5 ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`
    })
    .join('')
}

/** As many names as one row has room for. */
function legend(lines: readonly Line[], width: number, height: number): string {
  let at = 14
  const parts: string[] = []
  for (const [index, { name }] of lines.entries()) {
    const length = 16 + name.length * LETTER + 12
    if (at + length > width - 30) {
      parts.push(`<text x="${at}" y="${height - 11}" fill="#57606a">and ${lines.length - index} more</text>`)
      break
    }
    parts.push(
      `<rect x="${at}" y="${height - 17}" width="11" height="3" fill="${colourOf(index)}"/><text x="${at + 15}" y="${height - 11}">${escape(name)}</text>`,
    )
    at += length
  }
  return parts.join('')
}

/** From 0, at most five steps of 1, 2 or 5 times a power of ten, or of two for bytes. */
function ticksUpTo(largest: number, unit: string): readonly number[] {
  if (largest <= 0) return [0, 1]
  const rough = largest / 4
  const isBytes = unit === 'bytes' || unit === 'Bps'
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = isBytes
    ? 2 ** Math.ceil(Math.log2(rough))
    : ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power
  return Array.from({ length: Math.ceil(largest / step) + 1 }, (_, index) => index * step)
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#000'
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
