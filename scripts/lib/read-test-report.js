// Reads the JSON report of vitest and its exit code. First line: "PASSED FAILED". Then, for the end of a run, what
// failed: each by its name, with the head of its message under it.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'

// Room for a failed comparison, or for the counterexample and the seed of a property.
const MESSAGE_LINES = 25

// Where an error came through code that is not ours.
const FRAME_OF_OTHERS = /^ +at (?:.*\/node_modules\/|.*\(?node:internal\/|new Promise \()/

const [file, exitCode] = process.argv.slice(2)

function read() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function indentedHead(message) {
  const lines = stripVTControlCharacters(message)
    .trim()
    .split('\n')
    .filter((line) => !FRAME_OF_OTHERS.test(line))
  const head = lines.slice(0, MESSAGE_LINES).map((line) => `    ${line}`)
  return lines.length > MESSAGE_LINES ? [...head, '    ...'] : head
}

function failuresOfFile({ name, status, message = '', assertionResults }) {
  const shown = path.relative('.', name)
  // It could not be loaded, or what stands before or behind its tests failed.
  const ofFile = status === 'failed' && message !== '' ? [shown, ...indentedHead(message)] : []
  const ofTests = assertionResults
    .filter((test) => test.status !== 'passed')
    .flatMap((test) => [
      `${shown} > ${[...test.ancestorTitles, test.title].join(' > ')} (${test.status})`,
      ...indentedHead(test.failureMessages.join('\n')).filter((line) => line.trim() !== ''),
    ])
  return [...ofFile, ...ofTests]
}

function judge() {
  const report = read()
  // It did not come so far as to write one.
  if (!report) return { passed: 0, failed: 1, failures: ['vitest ended without a report'] }
  const unloadable = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  const passed = report.numPassedTests
  const failed = report.numFailedTests + report.numPendingTests + report.numTodoTests + unloadable
  const failures = report.testResults.flatMap(failuresOfFile)
  // Unhandled errors belong to no test and stand in no count; neither does a project without any test.
  if (failed === 0 && (exitCode !== '0' || passed === 0)) {
    const why = passed === 0 ? 'no test was run' : `vitest ended with exit code ${exitCode}, though no test failed`
    return { passed, failed: 1, failures: failures.length > 0 ? failures : [why] }
  }
  return { passed, failed, failures }
}

const { passed, failed, failures } = judge()
console.log([`${passed} ${failed}`, ...failures].join('\n'))
