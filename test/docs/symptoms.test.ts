import { expect, describe, it } from 'vitest'
import { sectionOf } from '../support/document-commands.js'
import { readDocument } from './support/documents.js'
import { whyNoTest, type TestPlace } from './support/elsewhere.js'
import { OF_STAGINGS } from './support/symptoms-of-stagings.js'
import { OF_THE_NODE } from './support/symptoms-of-the-node.js'

// Each symptom of "Trouble, by symptom" in docs/operations.md, by its words there: it is provoked, and what the guide says
// is done and helps.

const PROVOKED: Readonly<Record<string, () => Promise<void>>> = { ...OF_THE_NODE, ...OF_STAGINGS }

/** Those that only a real host, another user or a container can show. */
const SHOWN_ELSEWHERE: Readonly<Record<string, readonly TestPlace[]>> = {
  'a staging failed with `not-runnable`': [
    { file: 'test/isolation/engine/why-not-runnable.test.ts', title: 'because it lost its exec bit' },
    {
      file: 'test/engine/system/bad-input.test.ts',
      title: 'a stager whose script has the line ends of Windows: exit code 10, and it is said',
    },
    { file: 'test/engine/system/bad-input.test.ts', title: 'a user that does not exist in the root' },
  ],
  'no staging requests of Cloud Foundry arrive': [
    {
      file: 'test/daemon/cloud-foundry/nats-credentials.test.ts',
      title:
        'a daemon that may not subscribe says what to do in its log, status, metrics and doctor, and subscribes when it may',
    },
    {
      file: 'test/daemon/cloud-foundry/nats-credentials.test.ts',
      title: 'a daemon with a wrong password says so without it, and subscribes as soon as the server takes it',
    },
  ],
  'a staging failed with `fetch-failed`': [
    {
      file: 'test/daemon/cloud-foundry/fetch.test.ts',
      title: 'is a failed staging with a cause and a log when its application cannot be fetched, and is not retried',
    },
  ],
  'connections of stagers are established and then hang': [
    {
      file: 'test/daemon/host-findings.test.ts',
      title: 'packets of launches that are too long for their way are found',
    },
    { file: 'test/isolation/network/uplink-mtu.test.ts', title: 'a number of the settings is taken as it is' },
  ],
  '"a resource of a launch was removed from outside; stagerd has restored it" in the log': [
    {
      file: 'test/isolation/network/firewall-guard.test.ts',
      title: 'restores rules that were flushed, and reports it to their container',
    },
    {
      file: 'test/engine/network/network-isolation.test.ts',
      title: 'is closed again shortly after its firewall rules are flushed',
    },
  ],
  'the disk is full': [
    {
      file: 'test/engine/system/bad-input.test.ts',
      title: 'rejects an upload that does not fit, keeps existing data, and keeps working',
    },
  ],
}

/** The first cells of the table below a heading. */
async function symptoms(): Promise<readonly string[]> {
  const { text } = await readDocument('docs/operations.md')
  const rows = sectionOf(text, 'Trouble, by symptom').matchAll(/^\| (.*?) \| .* \|$/gm)
  return [...rows].map(([, first = '']) => first).filter((first) => first !== 'symptom' && first !== '---')
}

describe('a symptom of the guide', () => {
  it('is provoked by a test, and each of these is in the guide', async () => {
    const found = await symptoms()
    expect(found.length).toBeGreaterThan(20)
    expect(new Set(found).size).toBe(found.length)
    expect([...Object.keys(PROVOKED), ...Object.keys(SHOWN_ELSEWHERE)].sort()).toEqual([...found].sort())
  })

  it.each(Object.entries(SHOWN_ELSEWHERE))('has its tests elsewhere: %s', async (_symptom, places) => {
    const faults = await Promise.all(places.map(whyNoTest))
    expect(faults.filter((fault) => fault !== undefined)).toEqual([])
  })

  it.each(Object.entries(PROVOKED))('and its remedy: %s', async (_symptom, provoke) => {
    await provoke()
  })
})
