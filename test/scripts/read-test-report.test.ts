import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { execa } from 'execa'

const SCRIPT = path.resolve(import.meta.dirname, '../../scripts/lib/read-test-report.js')

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-report-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function read(report: unknown, exitCode: number): Promise<string[]> {
  const file = path.join(directory, 'report.json')
  if (report !== undefined) await writeFile(file, JSON.stringify(report))
  return (await execa('node', [SCRIPT, file, String(exitCode)])).stdout.split('\n')
}

const SUCCESS = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }

function fileWith(...tests: { title: string; status: string; failureMessages?: string[] }[]) {
  return {
    name: path.resolve('test/some.test.ts'),
    status: 'failed',
    message: '',
    assertionResults: tests.map((test) => ({ ancestorTitles: ['a group'], failureMessages: [], ...test })),
  }
}

test('a successful run prints only the counts', async () => {
  expect(await read(SUCCESS, 0)).toEqual(['7 0'])
})

test('a failed test is printed with its message', async () => {
  const testResults = [
    fileWith(
      { title: 'works', status: 'passed' },
      {
        title: 'breaks',
        status: 'failed',
        failureMessages: ['\u001b[31mexpected 1\u001b[39m\n  to be 2\n    at file:///node_modules/x/y.js:1:1'],
      },
    ),
  ]
  expect(await read({ ...SUCCESS, numPassedTests: 6, numFailedTests: 1, testResults }, 1)).toEqual([
    '6 1',
    'test/some.test.ts > a group > breaks (failed)',
    '    expected 1',
    '      to be 2',
  ])
})

test('a long message is truncated', async () => {
  const failureMessages = [Array.from({ length: 100 }, (_, index) => `line ${String(index)}`).join('\n')]
  const testResults = [fileWith({ title: 'breaks', status: 'failed', failureMessages })]
  const lines = await read({ ...SUCCESS, numPassedTests: 6, numFailedTests: 1, testResults }, 1)
  expect(lines.slice(-2)).toEqual(['    line 24', '    ...'])
})

test('a skipped test counts as failed', async () => {
  const testResults = [fileWith({ title: 'is skipped', status: 'skipped' })]
  expect(await read({ ...SUCCESS, numPassedTests: 6, numPendingTests: 1, testResults }, 0)).toEqual([
    '6 1',
    'test/some.test.ts > a group > is skipped (skipped)',
  ])
})

test('a file that cannot be loaded counts as a failed test', async () => {
  const testResults = [{ ...fileWith(), message: 'Cannot find package' }]
  expect(await read({ ...SUCCESS, testResults }, 1)).toEqual(['7 1', 'test/some.test.ts', '    Cannot find package'])
})

test('a failed hook of a file is printed', async () => {
  const testResults = [{ ...fileWith({ title: 'works', status: 'passed' }), message: 'leftover: a mount' }]
  expect(await read({ ...SUCCESS, testResults }, 1)).toEqual(['7 1', 'test/some.test.ts', '    leftover: a mount'])
})

test('an error outside of all tests counts as a failed test', async () => {
  expect(await read(SUCCESS, 1)).toEqual(['7 1', 'vitest ended with exit code 1, though no test failed'])
})

test('a run without tests counts as a failed test', async () => {
  expect(await read({ ...SUCCESS, numPassedTests: 0 }, 0)).toEqual(['0 1', 'no test was run'])
})

test('a run without a report counts as a failed test', async () => {
  expect(await read(undefined, 1)).toEqual(['0 1', 'vitest ended without a report'])
})
