import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { drawPage } from '../../scripts/dashboard.d/draw.js'
import { linesOf, type Panel } from '../../scripts/dashboard.d/panels.js'
import { format } from '../../scripts/dashboard.d/units.js'
import { atTestEnd } from '../support/at-test-end.js'

const RANGE = { start: 1000, end: 1020, step: 5 }
const PANEL: Panel = {
  title: 'Requests',
  type: 'timeseries',
  gridPos: { x: 0, y: 0, w: 12, h: 8 },
  fieldConfig: { defaults: { unit: 'reqps' } },
  targets: [{ expr: 'rate(requests{instance=~"$instance"}[$__rate_interval])', legendFormat: 'status {{status}}' }],
}

/** A Prometheus that gives one answer, and the expressions that it was asked. */
async function answering(answer: object) {
  const asked: (string | null)[] = []
  const server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://prometheus').searchParams.get('query'))
    response.end(JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atTestEnd(() => void server.close())
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const series = (...values: string[]) => ({
  status: 'success',
  data: { result: [{ metric: { status: '<200>' }, values: values.map((value, index) => [1000 + 5 * index, value]) }] },
})

describe('the picture of the dashboard', () => {
  it('has what the expressions of a panel give, with the names of its legend', async () => {
    const { asked, url } = await answering(series('1', 'NaN', '3'))
    const lines = await linesOf(url, PANEL, RANGE, 5)
    expect(asked).toEqual(['rate(requests{instance=~".*"}[20s])'])
    expect(lines).toEqual([
      {
        name: 'status <200>',
        points: [
          [1000, 1],
          [1010, 3],
        ],
      },
    ])
    expect(drawPage('title', [{ panel: PANEL, lines }], RANGE)).toContain('status &lt;200>')
  })

  it.each([
    [{ status: 'error', error: 'parse error' }, 'has an expression that Prometheus rejects: Error: parse error'],
    [{ status: 'success', data: { result: [] } }, 'is empty'],
    [series('NaN'), 'is empty'],
    [series('0', '0'), 'shows nothing but zeros'],
  ])('is refused with a panel for which Prometheus answers %j', async (answer, reason) => {
    const { url } = await answering(answer)
    await expect(linesOf(url, PANEL, RANGE, 5)).rejects.toThrow(`The panel "Requests" ${reason}`)
  })

  it.each([
    [0, 's', '0 s'],
    [0.00025, 's', '250 µs'],
    [600, 's', '10 min'],
    [3 * 1024 ** 2, 'bytes', '3 MiB'],
    [0.05, 'percentunit', '5 %'],
    [1500, 'short', '1.5 k'],
  ])('shows %d of the unit %s as %s', (value, unit, text) => {
    expect(format(value, unit)).toBe(text)
  })
})
