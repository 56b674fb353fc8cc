/** The HTTP API of Prometheus, as far as a dashboard asks it. */

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** Times in seconds since 1970. What is not a number is left out. */
  readonly points: readonly (readonly [time: number, value: number])[]
}

export interface Range {
  readonly start: number
  readonly end: number
  readonly step: number
}

interface Answer {
  readonly status: 'success' | 'error'
  readonly error?: string
  readonly data?: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>
      readonly values: readonly (readonly [number, string])[]
    }[]
  }
}

/** Throws an error with the words of Prometheus if it rejects the expression. */
export async function queryRange(server: string, expression: string, range: Range): Promise<readonly Series[]> {
  const parameters = { query: expression, start: String(range.start), end: String(range.end), step: String(range.step) }
  const answer = await fetch(`${server}/api/v1/query_range?${new URLSearchParams(parameters).toString()}`)
  const { status, error, data } = (await answer.json()) as Answer
  if (status !== 'success' || !data) throw new Error(error ?? `Prometheus answered ${answer.status}`)
  return data.result.map(({ metric, values }) => ({
    labels: metric,
    points: values.map(([time, value]) => [time, Number(value)] as const).filter(([, value]) => Number.isFinite(value)),
  }))
}
