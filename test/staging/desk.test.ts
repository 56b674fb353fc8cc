import { expect, it } from 'vitest'
import type { RunningLaunch } from '../../isolation/isolation.js'
import { Desk, type DeskHooks, type DeskParts } from '../../daemon/staging/desk.js'
import type { Staging } from '../../daemon/staging/states.js'

const [BEFORE, AFTER] = ['a'.repeat(64), 'b'.repeat(64)]
const report = {
  written: { sha256: AFTER, sha1: 'c'.repeat(40), length: 5 },
  removals: [],
  leftOut: { sockets: 1, special: 0 },
}

/** The desk of a launch whose snapshot leaves out a socket, and the digests of what it has opened. */
function openDesk(say: DeskHooks['say']) {
  const opened: string[] = []
  const open = (sha256: string) => Promise.resolve(void opened.push(sha256))
  const parts = {
    blobs: { open },
    quota: { of: () => Promise.resolve(Infinity) },
    liveBlobs: { hold: () => undefined },
  }
  const staging = { packageFqn: 'package::/::app', work: { resource: { sha256: BEFORE, compression: 'gzip' } } }
  const running = { snapshot: () => Promise.resolve(report) }
  const desk = new Desk(
    'launch',
    staging as unknown as Staging,
    Promise.resolve(running as unknown as RunningLaunch),
    { settle: () => Promise.resolve(), say },
    parts as unknown as DeskParts,
  )
  return { desk, opened }
}

const snapshot = (desk: Desk) => desk.snapshot(undefined, new AbortController().signal)

it('a snapshot that leaves something out says so, and takes the place of the data', async () => {
  const said: string[] = []
  const { desk, opened } = openDesk((text) => Promise.resolve(void said.push(text)))
  await snapshot(desk)
  await desk.openData()
  expect(said).toEqual(['The snapshot leaves out 1 socket: no package can hold that.'])
  expect(opened).toEqual([AFTER])
})

it('a snapshot of which nothing can be said because the log is full leaves the data as it was', async () => {
  const { desk, opened } = openDesk(() => Promise.reject(new Error('ENOSPC')))
  await expect(snapshot(desk)).rejects.toThrow('ENOSPC')
  await desk.openData()
  expect(opened).toEqual([BEFORE])
})

it('a snapshot is refused when the launch ends while it is spoken of', async () => {
  const { desk } = openDesk(() => {
    desk.close()
    return Promise.resolve()
  })
  await expect(snapshot(desk)).rejects.toMatchObject({ code: 'launch-over' })
})
