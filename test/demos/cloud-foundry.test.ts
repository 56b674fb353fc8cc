import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CHECKOUT, until } from '../engine/support/private-daemon.js'

/** The first demo makes the pipeline for Ruby, which takes minutes. */
const DEMO_MS = 1_200_000

/** What a demo could leave on this host, one line each. */
async function leftovers(): Promise<string[]> {
  const { stdout } = await execa('node', ['scripts/lib/list-leftovers.js', CHECKOUT], { cwd: CHECKOUT })
  const temporary = (await readdir('/tmp')).filter((name) =>
    /^(?:nats-run|stagerd-run|stagerd-controller)\./.test(name),
  )
  const processes = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(path.join('/proc', pid, 'cmdline'), 'latin1').catch(() => '')),
  )
  const ours = processes.filter((line) => /nats-run\.|play-controller|stagerd-controller\./.test(line))
  return [...stdout.split('\n').filter((line) => line !== ''), ...temporary, ...ours]
}

/** In a process group of its own, as a terminal gives it one. */
function start(environment: Record<string, string> = {}) {
  const demo = execa('./scripts/demo-cloud-foundry', [], {
    ...{ cwd: CHECKOUT, detached: true, reject: false, all: true, env: environment, stdin: 'ignore' },
  })
  let said = ''
  demo.all.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return { demo, said: () => said }
}

describe('the demo of Cloud Foundry', () => {
  let before: string[]
  beforeEach(async () => {
    before = await leftovers()
  })

  beforeAll(async () => {
    const { exitCode, all } = await start().demo
    expect(exitCode, all).toBe(0)
  }, DEMO_MS)

  it('prints the log of the task, and the answer of the droplet, and leaves nothing', async () => {
    const { exitCode, all } = await start().demo
    expect(exitCode, all).toBe(0)
    for (const line of ['Downloading application', 'Creating droplet', 'Uploading droplet', 'Done!'])
      expect(all).toMatch(new RegExp(`^\\[\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\] ${line}$`, 'm'))
    expect(all).toMatch(/^ +The lighthouse is lit$/m)
    expect(await leftovers()).toEqual(before)
  })

  it.each(['Starting nats-server', 'GET /download', 'POST /upload', 'droplet run'])(
    'leaves nothing when Ctrl-C ends it at %j',
    async (line) => {
      const { demo, said } = start()
      await until(`the demo is at ${line}`, () => said().includes(line) || demo.exitCode !== null, DEMO_MS)
      process.kill(-(demo.pid ?? 0), 'SIGINT')
      const { exitCode } = await demo
      expect(exitCode).toBe(130)
      expect(await leftovers()).toEqual(before)
    },
  )

  it('leaves nothing when a step fails', async () => {
    const { exitCode, all } = await start({ STAGERD_DEMO_APPLICATION: '/nowhere' }).demo
    expect(exitCode).not.toBe(0)
    expect(all).toContain('the last step failed with exit code')
    expect(await leftovers()).toEqual(before)
  })
})
