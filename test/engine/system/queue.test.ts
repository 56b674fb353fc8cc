import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { otlpCollector, type OtlpCollector } from '../../support/otlp-collector.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CREATED_AHEAD, PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const AT_ONCE = 12
const LIMIT = 4

let daemon: PrivateDaemon
let collector: OtlpCollector

beforeAll(async () => {
  collector = await otlpCollector()
  daemon = await PrivateDaemon.start(['--concurrency', String(LIMIT), ...CREATED_AHEAD], {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  })
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(file('hello.tar.gz'), {
    hello: '#!/bin/sh\nwget -q -O - --post-data="" "$STAGER_URL/done"\n',
  })
  await daemon.addPackage(program, 'hello-program', { dependencies: 'os.linux' })
  await daemon.addStager({ name: 'hello', package: 'package::/::hello-program', start_command: './hello' })
  const site = await tarballOf(file('site.tar.gz'), { 'index.html': 'hello' })
  for (let n = 0; n < AT_ONCE; n++) await daemon.addPackage(site, `site-${n}`, { state: 'uploaded' })
})

afterAll(async () => {
  await daemon.stop()
  await removeImages(daemon)
  await daemon.close()
  collector.close()
})

it(`${AT_ONCE} stagings submitted at once with a limit of ${LIMIT} all succeed, in the order of admission, and are traced`, async () => {
  const submitted = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => daemon.submit(`site-${n}`, 'hello')))
  const ended: Staging[] = []
  for (const { uuid } of submitted) ended.push(await daemon.ended(uuid))
  expect(ended.map(({ state, failure }) => failure?.message ?? state)).toEqual(submitted.map(() => 'succeeded'))

  // Newest first, by the sequence of the ledger: several may have the same millisecond.
  const inOrder = (await daemon.ask<Staging[]>('GET', '/v1/stagings')).reverse()
  expect(inOrder).toHaveLength(AT_ONCE)
  const starts = inOrder.map(({ started_at }) => started_at ?? '')
  expect(starts).toEqual([...starts].sort())

  // The number of running stagings never exceeds the limit.
  for (const one of ended) {
    const atWork = ended.filter(
      ({ started_at, ended_at }) => started_at! <= one.started_at! && ended_at! > one.started_at!,
    )
    expect(atWork.length).toBeLessThanOrEqual(LIMIT)
  }
  await daemon.stop()
  await expectNothingLeft(daemon)

  const namesIn = (trace: string) => collector.spans().flatMap(({ traceId, name }) => (traceId === trace ? [name] : []))
  for (const { uuid } of ended)
    expect(namesIn(uuid.replaceAll('-', ''))).toEqual(
      expect.arrayContaining(['staging', 'queued', 'launch', 'listener', 'mounts', 'undo']),
    )
})
