import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { until } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'
import { nodeIdentity, nodeLedgerOf } from '../../support/fleet/node-ledger.js'

const draft = { package: 'package::/acme::app', pipeline: 'stagpipe::/acme::pipe' }

describe('stagings over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open({ heartbeatMs: 30 })
    const resource = await under.upload('an archive')
    await under.ask('POST', '/v1/packages', { namespace: '/acme', name: 'app', resource })
    const stager = { namespace: '/acme', name: 'one', package: 'package::/acme::app', start_command: './stager' }
    await under.ask('POST', '/v1/stagers', stager)
    await under.ask('POST', '/v1/stagingpipelines', { namespace: '/acme', name: 'pipe', stagers: ['job::/acme::one'] })
  })
  afterEach(() => under.close())

  const submit = async () => (await under.ask<Staging>('POST', '/v1/stagings', draft)).document

  it('are submitted, shown, listed, cancelled and retried', async () => {
    const made = await under.ask<Staging>('POST', '/v1/stagings', draft)
    expect(made).toMatchObject({
      status: 201,
      headers: { location: `/v1/stagings/${made.document.uuid}` },
      document: { state: 'queued', ...draft, stagers: ['job::/acme::one'], launches: [] },
    })
    const { uuid } = made.document
    // There is no daemon that has a term.
    const waiting = { before: 0, reasons: [{ kind: 'no-node', message: expect.any(String) as string }] }
    expect((await under.ask('GET', `/v1/stagings/${uuid}`)).document).toEqual({ ...made.document, waiting })
    expect((await under.ask('POST', '/v1/stagings', draft)).document).toMatchObject({ code: 'package-busy' })

    const cancelled = await under.ask<Staging>('POST', `/v1/stagings/${uuid}/cancel`)
    expect(cancelled).toMatchObject({ status: 202, document: { state: 'cancelled' } })
    expect((await under.ask('POST', `/v1/stagings/${uuid}/cancel`)).document).toMatchObject({ code: 'staging-ended' })
    const again = await under.ask<Staging>('POST', `/v1/stagings/${uuid}/retry`)
    expect(again).toMatchObject({ status: 201, document: { state: 'queued' } })

    const uuids = async (query = '') =>
      (await under.ask<Staging[]>('GET', `/v1/stagings${query}`)).document.map((staging) => staging.uuid)
    expect(await uuids()).toEqual([again.document.uuid, uuid])
    expect(await uuids('?limit=1')).toEqual([again.document.uuid])
    expect(await uuids('?state=cancelled')).toEqual([uuid])
    expect(await uuids(`?package=${encodeURIComponent('/acme::app')}`)).toHaveLength(2)
    expect(await uuids(`?package=${randomUUID()}`)).toEqual([])
  })

  it('replace no program of a stager by a source', async () => {
    const source = { resource: await under.upload('an application') }
    expect(await under.ask('POST', '/v1/stagings', { ...draft, source })).toMatchObject({
      status: 409,
      document: {
        code: 'package-of-stager',
        detail: 'package::/acme::app holds the program of job::/acme::one: choose another name, or change the stager.',
      },
    })
  })

  it('take an empty manifest for none, where the package has none', async () => {
    const resource = await under.upload('an application')
    await under.ask('POST', '/v1/packages', { namespace: '/acme', name: 'shop', resource })
    const shop = { ...draft, package: 'package::/acme::shop' }
    const kept = async (source: object) => {
      const made = await under.ask<Staging>('POST', '/v1/stagings', { ...shop, source: { resource, ...source } })
      await under.ask('POST', `/v1/stagings/${made.document.uuid}/cancel`)
      return (await under.store.ledger.get(made.document.uuid)).source?.manifest
    }
    expect(await kept({ manifest: '' })).toBeUndefined()
    expect(await kept({ manifest: '', environment: { START_COMMAND: './run' } })).toEqual({ start_cmd: './run' })
    await under.ask('PATCH', `/v1/packages/${encodeURIComponent('/acme::shop')}`, { manifest: 'instances: 2' })
    expect(await kept({ manifest: '' })).toEqual({})
  })

  it('are listed by state, package, pipeline and time together, and at most as many as asked for', async () => {
    const { uuid, submitted_at: at } = await submit()
    const pipeline = (
      await under.ask<{ uuid: string }>('GET', `/v1/stagingpipelines/${encodeURIComponent('/acme::pipe')}`)
    ).document.uuid
    const uuids = async (query: Readonly<Record<string, string>>) =>
      (await under.ask<Staging[]>('GET', `/v1/stagings?${new URLSearchParams(query).toString()}`)).document.map(
        (staging) => staging.uuid,
      )
    const all = { state: 'queued', package: '/acme::app', pipeline: '/acme::pipe', since: at, limit: '1' }
    expect(await uuids(all)).toEqual([uuid])
    expect(await uuids({ pipeline })).toEqual([uuid])
    expect(await uuids({ ...all, pipeline: 'stagpipe::/acme::other' })).toEqual([])
    expect(await uuids({ ...all, state: 'running' })).toEqual([])
    const later = new Date(Date.parse(at) + 1).toISOString()
    expect(await uuids({ ...all, since: later })).toEqual([])
    // The same moment in another zone.
    const elsewhere = new Date(Date.parse(at) + 3_600_000).toISOString().replace('Z', '+01:00')
    expect(await uuids({ since: elsewhere })).toEqual([uuid])
  })

  it('outlive the pipeline by whose name they are listed', async () => {
    const { uuid } = await submit()
    const pipeline = encodeURIComponent('/acme::pipe')
    await under.ask('DELETE', `/v1/stagingpipelines/${pipeline}`)
    const { document } = await under.ask<Staging[]>('GET', `/v1/stagings?pipeline=${pipeline}`)
    expect(document.map((staging) => staging.uuid)).toEqual([uuid])
  })

  it('name the node that runs them, as long as one does', async () => {
    const { uuid } = await submit()
    const node = nodeIdentity({ name: 'build-3' })
    const term = await under.store.nodes.openTerm(node, 60_000)
    const ledger = under.store.nodeLedger(term)
    const named = async () => [
      (await under.ask<Staging>('GET', `/v1/stagings/${uuid}`)).document.node,
      (await under.ask<Staging[]>('GET', '/v1/stagings')).document[0]?.node,
    ]
    const running = { uuid: node.uuid, name: 'build-3' }
    expect(await named(), 'queued').toEqual([undefined, undefined])
    await ledger.admitNext()
    expect(await named()).toEqual([running, running])
    const cancelled = await under.ask<Staging>('POST', `/v1/stagings/${uuid}/cancel`)
    expect(cancelled.document).toMatchObject({ state: 'running', node: running })
    await under.store.nodes.closeTerm(term)
    expect(await named(), 'interrupted').toEqual([undefined, undefined])
    const next = under.store.nodeLedger(await under.store.nodes.openTerm(node, 60_000))
    await next.admitNext()
    expect(await named()).toEqual([running, running])
    await next.cancel(uuid)
    expect((await under.store.ledger.get(uuid)).term).toBeDefined()
    expect(await named(), 'ended').toEqual([undefined, undefined])
  })

  it('show their failure', async () => {
    const { uuid } = await submit()
    const ledger = await nodeLedgerOf(under.store)
    await ledger.admitNext()
    const launch = randomUUID()
    await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: 'job::/acme::one', step: 0 })
    await ledger.launchRunning(launch)
    const failure = { cause: 'timeout', stager: 'job::/acme::one', message: 'Too slow.', hint: 'Hurry.' } as const
    await ledger.fail(uuid, launch, failure)
    await ledger.recordExit(launch, 137)
    const { document } = await under.ask<Staging>('GET', `/v1/stagings/${uuid}`)
    expect(document).toMatchObject({ state: 'failed', failure, launches: [{ state: 'failed', exit_code: 137 }] })
  })

  it.each([
    ['GET', `/v1/stagings/${randomUUID()}`, 404, 'staging-not-found'],
    ['GET', `/v1/stagings/${randomUUID()}/log`, 404, 'staging-not-found'],
    ['POST', `/v1/stagings/${randomUUID()}/cancel`, 404, 'staging-not-found'],
    ['GET', '/v1/stagings?state=done', 400, 'bad-document'],
    ['GET', '/v1/stagings?limit=0', 400, 'bad-document'],
    ['GET', '/v1/stagings?since=yesterday', 400, 'bad-time'],
    ['GET', '/v1/stagings?since=2026-01-31T12:00:00', 400, 'bad-time'],
    ['GET', '/v1/stagings?since=2026-13-31T12:00:00Z', 400, 'bad-time'],
    ['GET', '/v1/stagings?since=2026-01-31T12:00:00+01:00', 400, 'bad-time'],
    ['GET', '/v1/stagings?pipeline=pipe', 400, 'bad-ref'],
    ['GET', `/v1/stagings?pipeline=${randomUUID()}`, 404, 'pipeline-not-found'],
  ] as const)('%s %s is refused', async (method, url, status, code) => {
    expect((await under.ask(method, url)).document).toMatchObject({ status, code })
  })

  describe('have a log that', () => {
    const follow = async (uuid: string, query = '', headers: Record<string, string> = {}) => {
      const { request, answer } = await under.connect('GET', `/v1/stagings/${uuid}/log${query}`, headers)
      request.end()
      return { request, answer: await answer }
    }
    /** Events as [name, id, data], comments left out. */
    const eventsOf = async (answer: IncomingMessage) =>
      (await text(answer))
        .split('\n\n')
        .filter((block) => block !== '' && !block.startsWith(':'))
        .map((block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))) as Event)
    interface Event {
      readonly event: string
      readonly id: string
      readonly data: string
    }

    it('is streamed line by line while it grows, and ends with the staging', async () => {
      const { uuid } = await submit()
      const { answer } = await follow(uuid)
      expect(answer.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8' })
      under.logs.say('one', 'two: \u001b[31m"quoted"\nand broken')
      await until('somebody follows', () => under.logs.followers === 1)
      under.logs.say('three')
      await under.ask('POST', `/v1/stagings/${uuid}/cancel`)
      under.logs.end()
      const events = await eventsOf(answer)
      expect(events.map(({ event, id }) => [event, id])).toEqual([
        ['line', '1'],
        ['line', '2'],
        ['line', '3'],
        ['end', undefined],
      ])
      expect(JSON.parse(events[1]!.data)).toMatchObject({ seq: 2, text: 'two: \u001b[31m"quoted"\nand broken' })
      expect(JSON.parse(events[3]!.data)).toMatchObject({ uuid, state: 'cancelled' })
    })

    it('is the answer to a submission that accepts events, and to a retry', async () => {
      under.logs.say('one')
      under.logs.end()
      const submitting = async (path: string, body = '') => {
        const headers = { accept: 'text/event-stream', ...(body && { 'content-type': 'application/json' }) }
        const { request, answer } = await under.connect('POST', path, headers)
        request.end(body)
        const { statusCode, headers: answered } = await answer
        const events = await eventsOf(await answer)
        expect(events.map(({ event, id }) => [event, id])).toEqual([['line', '1']])
        expect(statusCode).toBe(200)
        expect(answered['content-type']).toBe('text/event-stream; charset=utf-8')
        return answered.location?.replace('/v1/stagings/', '') ?? ''
      }
      const first = await submitting('/v1/stagings', JSON.stringify(draft))
      expect((await under.ask('GET', `/v1/stagings/${first}`)).document).toMatchObject({ uuid: first, state: 'queued' })
      await under.ask('POST', `/v1/stagings/${first}/cancel`)
      const again = await submitting(`/v1/stagings/${first}/retry`)
      expect((await under.ask('GET', `/v1/stagings/${again}`)).document).toMatchObject({ uuid: again, ...draft })
      // A refusal is a problem, not a log.
      const { request, answer } = await under.connect('POST', '/v1/stagings', {
        accept: 'text/event-stream',
        'content-type': 'application/json',
      })
      request.end(JSON.stringify(draft))
      expect(JSON.parse(await text(await answer))).toMatchObject({ status: 409, code: 'package-busy' })
    })

    it('is resumed after any line; the header overrides the query', async () => {
      const { uuid } = await submit()
      under.logs.say('one', 'two', 'three')
      const ids = async (query: string, headers = {}) =>
        (await eventsOf((await follow(uuid, query, headers)).answer)).map(({ id }) => id)
      expect(await ids('?follow=false')).toEqual(['1', '2', '3'])
      expect(await ids('?follow=false&since=2')).toEqual(['3'])
      expect(await ids('?follow=false&since=2', { 'last-event-id': '1' })).toEqual(['2', '3'])
      expect(await ids('?follow=false&since=99')).toEqual([])
      const wrong = await under.ask('GET', `/v1/stagings/${uuid}/log`, undefined, { 'last-event-id': 'x' })
      expect(wrong.document).toMatchObject({ status: 400, detail: /Last-Event-ID/ })
      expect((await under.ask('GET', `/v1/stagings/${uuid}/log?since=-1`)).status).toBe(400)
      expect((await under.ask('GET', `/v1/stagings/${uuid}/log?follow=maybe`)).document).toMatchObject({
        detail: '"follow" in the query must be true or false.',
      })
    })

    it('keeps an idle connection alive with comments', async () => {
      const { uuid } = await submit()
      const { request, answer } = await follow(uuid)
      let received = ''
      answer.on('data', (chunk: Buffer) => (received += String(chunk))).on('error', () => undefined)
      await until('three comments', () => (received.match(/^: /gm) ?? []).length >= 3)
      request.destroy()
      await until('nobody follows', () => under.logs.followers === 0)
    })

    it('does not delay the stop of the daemon', async () => {
      const { uuid } = await submit()
      const { answer } = await follow(uuid)
      const ended = text(answer)
      await until('somebody follows', () => under.logs.followers === 1)
      await under.api.close()
      await ended
      expect(under.logs.followers).toBe(0)
    })
  })
})
