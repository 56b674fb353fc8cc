import { queryRange, type Range, type Series } from './prometheus.js'

/** A panel, as Grafana has it in the file of a dashboard. */
export interface Panel {
  readonly title: string
  readonly type: 'stat' | 'timeseries'
  /** In columns, of which there are 24, and rows. */
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig: { readonly defaults: { readonly unit: string } }
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[]
}

export interface Line extends Pick<Series, 'points'> {
  readonly name: string
}

/**
 * What each expression of a panel gives.
 *
 * Throws for an expression that Prometheus rejects, a panel without data, and a graph in which nothing happens: after a load,
 * that is a metric that the dashboard has by a wrong name or label.
 *
 * @param scrapeSeconds the interval of Prometheus, of which Grafana derives `$__rate_interval`
 */
export async function linesOf(
  server: string,
  { title, type, targets }: Panel,
  range: Range,
  scrapeSeconds: number,
): Promise<readonly Line[]> {
  const lines: Line[] = []
  for (const { expr, legendFormat } of targets) {
    const expression = expr.replaceAll('$__rate_interval', `${4 * scrapeSeconds}s`).replaceAll('$instance', '.*')
    const found = await queryRange(server, expression, range).catch((error: unknown) => {
      throw new Error(
        `The panel "${title}" has an expression that Prometheus rejects: ${String(error)}\n  ${expression}`,
      )
    })
    for (const { labels, points } of found)
      if (points.length > 0)
        lines.push({
          name: legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, label: string) => labels[label] ?? ''),
          points,
        })
  }
  if (lines.length === 0) throw new Error(`The panel "${title}" is empty.`)
  if (type === 'timeseries' && lines.every(({ points }) => points.every(([, value]) => value === 0)))
    throw new Error(`The panel "${title}" shows nothing but zeros.`)
  return lines
}
