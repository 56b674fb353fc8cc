import { createInterface } from 'node:readline'
import { execa, type Options } from 'execa'
import { request } from 'undici'
import { expect } from 'vitest'

/** How long a program may take until it answers, in milliseconds. */
const DEADLINE_MS = 60_000

/**
 * Runs a command of a shell that prints an address and serves there, until it has answered with 200. Then it gets SIGINT,
 * as from Ctrl-C.
 */
export async function expectToServe(command: string, options: Options): Promise<void> {
  const running = execa('bash', ['--norc', '-euc', `exec ${command.replace(/^sudo /, '')}`], {
    ...options,
    all: true,
    reject: false,
  })
  const said: string[] = []
  let address: string | undefined
  for await (const line of createInterface(running.all)) {
    said.push(line)
    address = /\d+\.\d+\.\d+\.\d+:\d+/.exec(line)?.[0]
    if (address !== undefined) break
  }
  try {
    expect(address, said.join('\n')).toBeDefined()
    await expect
      .poll(async () => (await request(`http://${address}/`).catch(() => undefined))?.statusCode, {
        timeout: DEADLINE_MS,
      })
      .toBe(200)
  } finally {
    running.kill('SIGINT')
    await running
  }
}
