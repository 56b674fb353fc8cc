import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const UNIT = path.resolve(import.meta.dirname, '../../packaging/stagerd.service')

/** The words of all lines of a key, in order. */
async function wordsOf(key: string): Promise<string[]> {
  const lines = (await readFile(UNIT, 'utf8')).split('\n')
  return lines.filter((line) => line.startsWith(`${key}=`)).flatMap((line) => line.slice(key.length + 1).split(' '))
}

/** Directives that stop a unit when another one stops or fails. */
const BINDING = ['Requires', 'Requisite', 'BindsTo', 'PartOf', 'StopPropagatedFrom']

describe('the unit of systemd', () => {
  it.each(BINDING)('keeps stagerd running while Docker is stopped and started: no %s', async (key) => {
    expect(await wordsOf(key)).toEqual([])
  })

  it('starts Docker, and stops before it: the stop is in the reverse order of the start', async () => {
    expect(await wordsOf('Wants')).toContain('docker.service')
    expect(await wordsOf('After')).toEqual(expect.arrayContaining(['docker.service', 'docker.socket']))
    expect(await wordsOf('Before')).toEqual([])
  })

  it('restarts a daemon that failed, but not one with bad settings, which exits with 2', async () => {
    expect(await wordsOf('Restart')).toEqual(['on-failure'])
    expect(await wordsOf('RestartPreventExitStatus')).toEqual(['2'])
  })

  it('creates the directories that the default settings name', async () => {
    for (const key of ['StateDirectory', 'RuntimeDirectory', 'ConfigurationDirectory'])
      expect(await wordsOf(key)).toEqual(['stagerd'])
  })
})
