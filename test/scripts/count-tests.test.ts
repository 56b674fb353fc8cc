import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { execa } from 'execa'

const SCRIPT = path.resolve(import.meta.dirname, '../../scripts/lib/count-tests.js')

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-count-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function count(report: unknown, exitCode: number): Promise<string> {
  const file = path.join(directory, 'report.json')
  if (report !== undefined) await writeFile(file, JSON.stringify(report))
  return (await execa('node', [SCRIPT, file, String(exitCode)])).stdout
}

const GOOD = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }

test('a good run', async () => {
  expect(await count(GOOD, 0)).toBe('7 0')
})

test('a failed test', async () => {
  expect(await count({ ...GOOD, numPassedTests: 6, numFailedTests: 1 }, 1)).toBe('6 1')
})

test('a skipped test has shown nothing, so it failed', async () => {
  expect(await count({ ...GOOD, numPassedTests: 6, numPendingTests: 1 }, 0)).toBe('6 1')
})

test('a file that cannot be loaded is a failure, though it has no tests', async () => {
  const testResults = [{ status: 'failed', assertionResults: [] }]
  expect(await count({ ...GOOD, testResults }, 1)).toBe('7 1')
})

test('an error outside of every test is a failure', async () => {
  expect(await count(GOOD, 1)).toBe('7 1')
})

test('a run without tests is a failure', async () => {
  expect(await count({ ...GOOD, numPassedTests: 0 }, 0)).toBe('0 1')
})

test('a run without a report is a failure', async () => {
  expect(await count(undefined, 1)).toBe('0 1')
})
