import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { LogLine } from '../../daemon/log/log-file.js'
import type { LogStore } from '../../daemon/log/log-store.js'

export interface LogsUnderTest {
  /** Two nodes; the same twice where a log belongs to one. */
  readonly nodes: readonly [LogStore, LogStore]
  /** The staging is in a terminal state from now on. */
  end(staging: string): void
}

const signal = new AbortController().signal

/** The contract of daemon/log/log-store.ts: what any node reads of a log that any node writes. */
export function describeLogs(name: string, make: () => Promise<LogsUnderTest>): void {
  describe(name, () => {
    let under: LogsUnderTest
    let staging: string
    beforeEach(async () => {
      under = await make()
      staging = randomUUID()
    })
    const linesOf = async (logs: LogStore, { since = 0, follow = false } = {}) => {
      const lines: LogLine[] = []
      for await (const line of logs.follow(staging, { since, follow, signal })) lines.push(line)
      return lines
    }
    const textsOf = async (...of: Parameters<typeof linesOf>) =>
      (await linesOf(...of)).map(({ seq, text }) => `${seq} ${text}`)

    it('every node reads the same lines, and follows them to the end of the staging', async () => {
      const [a, b] = under.nodes
      const followers = [a, b].map((node) => textsOf(node, { follow: true }))
      const writer = await a.write(staging)
      await writer.message('Launching instance')
      await writer.append('stdout', ['one', 'größe 🎉'])
      await writer.share()
      expect(await textsOf(b)).toEqual(['1 Launching instance', '2 one', '3 größe 🎉'])
      expect(await linesOf(b, { since: 1 })).toEqual(await linesOf(a, { since: 1 }))
      under.end(staging)
      await writer.message('Staging is complete.')
      await writer.close()
      const all = ['1 Launching instance', '2 one', '3 größe 🎉', '4 Staging is complete.']
      for (const follower of followers) expect(await follower).toEqual(all)
    })

    it('a staging that goes on at another node goes on at the next number, and its followers with it', async () => {
      const [a, b] = under.nodes
      const followers = [a, b].map((node) => textsOf(node, { follow: true }))
      const first = await a.write(staging)
      await first.message('one', 'two')
      await first.close()
      const second = await b.write(staging, 2)
      await second.message('three')
      await second.close()
      const third = await a.write(staging, 3)
      await third.message('four')
      under.end(staging)
      await third.close()
      const all = ['1 one', '2 two', '3 three', '4 four']
      for (const follower of followers) expect(await follower).toEqual(all)
      expect([await textsOf(a), await textsOf(b)]).toEqual([all, all])
    })

    it('a long log can be read from any line on, while it is written and afterwards', async () => {
      const [a, b] = under.nodes
      const texts = Array.from({ length: 3_000 }, (_, line) => `line ${line + 1} ${'x'.repeat(50)}`)
      const writer = await a.write(staging)
      for (let at = 0; at < texts.length; at += 500) {
        await writer.append('stdout', texts.slice(at, at + 500))
        await writer.share()
      }
      const numbers = async () => (await linesOf(b, { since: 1_234 })).map(({ seq }) => seq)
      const rest = Array.from({ length: 3_000 - 1_234 }, (_, line) => 1_235 + line)
      expect(await numbers()).toEqual(rest)
      under.end(staging)
      await writer.close()
      expect(await numbers()).toEqual(rest)
      expect((await linesOf(b)).map(({ text }) => text)).toEqual(texts)
    })

    it('a log that is complete at once is complete at every node', async () => {
      const [a, b] = under.nodes
      under.end(staging)
      await a.writeWhole(staging, ['Reused.', 'Staging is complete.'])
      for (const node of [a, b])
        expect(await textsOf(node, { follow: true })).toEqual(['1 Reused.', '2 Staging is complete.'])
    })

    it('every node lists a log, and can delete it for all', async () => {
      const [a, b] = under.nodes
      const writer = await a.write(staging)
      await writer.message('one')
      under.end(staging)
      await writer.close()
      const lists = async () => await Promise.all(under.nodes.map((node) => node.list()))
      for (const list of await lists()) expect(list.map((log) => log.staging)).toEqual([staging])
      await a.delete(staging)
      await b.delete(staging)
      expect(await lists()).toEqual([[], []])
      expect(await textsOf(b, { follow: true })).toEqual([])
    })
  })
}
