import { describe, expect, it } from 'vitest'
import { endings, takenOver, violations } from './check-recorded.js'
import type { Change, LaunchRow, StagingRow } from './recorded-history.js'

const queued: StagingRow = { sequence: 1, uuid: 's', state: 'queued', term: null, step: 0, relaunches: 0 }
const starting: LaunchRow = { uuid: 'l', staging: 1, state: 'starting' }

/** Begins with the submission of one staging, and its admission in term 1. */
class Recording {
  readonly changes: Change[] = []
  #staging = queued

  constructor() {
    this.changes.push({ source: 'stagings', before: null, after: queued })
    this.becomes({ state: 'running', term: 1 }).launch({})
  }

  ends(number: number): this {
    this.changes.push({ source: 'terms', before: { number, ended_at: null }, after: { number, ended_at: 'now' } })
    return this
  }

  becomes(change: Partial<StagingRow>): this {
    const after = { ...this.#staging, ...change }
    this.changes.push({ source: 'stagings', before: this.#staging, after })
    this.#staging = after
    return this
  }

  launch(change: Partial<LaunchRow>, before?: Partial<LaunchRow>): this {
    const was = before && { ...starting, ...before }
    this.changes.push({ source: 'launches', before: was ?? null, after: { ...starting, ...was, ...change } })
    return this
  }

  get wrong(): readonly string[] {
    return violations(this.changes)
  }
}

it('nothing is wrong with a staging that one node begins and, after the end of its term, another one ends', () => {
  const recording = new Recording()
  expect([...endings(recording.changes)]).toEqual([['s', undefined]])
  recording.ends(1).becomes({ term: null }).becomes({ term: 2 }).launch({ state: 'aborted' }, {})
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
    'term 1 changed after its end': (r) => {
      r.changes.push({ source: 'terms', before: { number: 1, ended_at: 'now' }, after: { number: 1, ended_at: null } })
      return r
    },
    'launch l was done, and then failed': (r) => r.launch({ state: 'failed' }, { state: 'done' }),
    'launch m began while l was open': (r) => r.launch({ uuid: 'm' }),
    'staging s became running at step 0 by term 1, which had ended': (r) => r.ends(1).launch({ state: 'done' }, {}),
  }

  it.each(Object.entries(histories))('%s', (found, history) => {
    expect(history(new Recording()).wrong).toContain(found)
  })
})
