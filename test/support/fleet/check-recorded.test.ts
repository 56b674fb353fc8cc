import { describe, expect, it } from 'vitest'
import { endings, takenOver, violations } from './check-recorded.js'
import type { Change, LaunchRow, StagingRow } from './recorded-history.js'

const queued: StagingRow = { sequence: 1, uuid: 's', state: 'queued', term: null, step: 0, relaunches: 0 }
const starting: LaunchRow = { uuid: 'l', staging: 1, state: 'starting' }

/** Begins with term 1 of node a and term 2 of node b, the submission of one staging, and its admission in term 1. */
class Recording {
  readonly changes: Change[] = []
  #writer = 'a'
  #staging = queued

  constructor() {
    for (const [writer, number] of [['a', 1] as const, ['b', 2] as const])
      this.changes.push({ source: 'terms', writer, before: null, after: { number, ended_at: null } })
    this.changes.push({ source: 'stagings', writer: 'a', before: null, after: queued })
    this.becomes({ state: 'running', term: 1 }).launch({})
  }

  /** Who makes the next changes. */
  by(writer: string): this {
    this.#writer = writer
    return this
  }

  ends(number: number): this {
    return this.term(number, null, 'now')
  }

  term(number: number, before: string | null, after: string | null): this {
    const rows = { before: { number, ended_at: before }, after: { number, ended_at: after } }
    this.changes.push({ source: 'terms', writer: this.#writer, ...rows })
    return this
  }

  becomes(change: Partial<StagingRow>): this {
    const after = { ...this.#staging, ...change }
    this.changes.push({ source: 'stagings', writer: this.#writer, before: this.#staging, after })
    this.#staging = after
    return this
  }

  launch(change: Partial<LaunchRow>, before?: Partial<LaunchRow>): this {
    const was = before && { ...starting, ...before }
    const rows = { before: was ?? null, after: { ...starting, ...was, ...change } }
    this.changes.push({ source: 'launches', writer: this.#writer, ...rows })
    return this
  }

  get wrong(): readonly string[] {
    return violations(this.changes)
  }
}

it('nothing is wrong with a staging that one node begins and, after the end of its term, another one ends', () => {
  const recording = new Recording()
  expect([...endings(recording.changes)]).toEqual([['s', undefined]])
  recording.by('b').ends(1).becomes({ term: null }).becomes({ term: 2 }).launch({ state: 'aborted' }, {})
  recording.launch({ uuid: 'm' }).launch({ state: 'done' }, { uuid: 'm' }).becomes({ state: 'succeeded' })
  expect(recording.wrong).toEqual([])
  expect([...takenOver(recording.changes)]).toEqual(['s'])
  expect([...endings(recording.changes)]).toEqual([['s', 'succeeded']])
})

describe('what is found', () => {
  const histories: Readonly<Record<string, (recording: Recording) => Recording>> = {
    'staging s became succeeded at step 0 by term 1, which had ended': (r) => r.ends(1).becomes({ state: 'succeeded' }),
    'staging s became running at step 1 by term 1, which had ended': (r) => r.ends(1).becomes({ step: 1 }),
    'staging s became failed at step 0 without an owner': (r) =>
      r.ends(1).becomes({ term: null }).becomes({ state: 'failed' }),
    'staging s was succeeded, and then failed': (r) => r.becomes({ state: 'succeeded' }).becomes({ state: 'failed' }),
    'staging s was taken from term 1, which had not ended': (r) => r.becomes({ term: 2 }),
    'staging s was taken in term 2, which had ended': (r) => r.ends(2).ends(1).becomes({ term: 2 }),
    'term 1 changed after its end': (r) => r.ends(1).term(1, 'now', null),
    'launch l was done, and then failed': (r) => r.launch({ state: 'failed' }, { state: 'done' }),
    'launch m began while l was open': (r) => r.launch({ uuid: 'm' }),
    'staging s became running at step 0 by term 1, which had ended': (r) => r.ends(1).launch({ state: 'done' }, {}),
    // The verdict of a node whose term was ended by the next owner, in the row of which nothing else tells.
    'staging s became succeeded at step 0 by a, and is owned by b': (r) =>
      r.by('b').ends(1).becomes({ term: null }).becomes({ term: 2 }).by('a').becomes({ state: 'succeeded' }),
    'staging s became running at step 0 by b, and is owned by a': (r) => r.by('b').launch({ state: 'done' }, {}),
    'staging s became running at step 0 without an owner': (r) =>
      r.ends(1).becomes({ term: null }).launch({ uuid: 'm' }),
  }

  it.each(Object.entries(histories))('%s', (found, history) => {
    expect(history(new Recording()).wrong).toContain(found)
  })
})
