const THOUSANDS = ['', ' k', ' M', ' G', ' T']
const BINARY = [' B', ' KiB', ' MiB', ' GiB', ' TiB']

/** A value as people read it, by the names that Grafana has for units. */
export function format(value: number, unit: string): string {
  switch (unit) {
    case 'percentunit':
      return `${round(value * 100)} %`
    case 's':
      return seconds(value)
    case 'bytes':
      return scaled(value, 1024, BINARY)
    case 'Bps':
      return `${scaled(value, 1024, BINARY)}/s`
    case 'ops':
    case 'reqps':
      return `${scaled(value, 1000, THOUSANDS)}/s`
    default:
      return scaled(value, 1000, THOUSANDS)
  }
}

function seconds(value: number): string {
  if (value === 0) return '0 s'
  if (value < 0.001) return `${round(value * 1e6)} µs`
  if (value < 1) return `${round(value * 1000)} ms`
  return value < 120 ? `${round(value)} s` : `${round(value / 60)} min`
}

function scaled(value: number, base: number, names: readonly string[]): string {
  const power = value <= 0 ? 0 : Math.min(names.length - 1, Math.max(0, Math.floor(Math.log(value) / Math.log(base))))
  return `${round(value / base ** power)}${names[power] ?? ''}`
}

function round(value: number): string {
  return String(Number(value.toPrecision(3)))
}
