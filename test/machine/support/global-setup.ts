import { readFile } from 'node:fs/promises'

/** These tests stop services, which others on the host may use. */
export async function setup(): Promise<void> {
  const container = await readFile('/run/systemd/container', 'utf8').catch(() => '')
  if (container.trim() !== 'stagerd')
    throw new Error('These tests stop Docker: run them in a machine of their own, with ./scripts/test --engine NAME.')
}
