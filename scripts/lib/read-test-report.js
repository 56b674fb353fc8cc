// Summarizes the JSON report of vitest and its exit code. The first line is "PASSED FAILED". Then follow the failures:
// name, and the first lines of the message.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'

// Enough for the diff of a failed assertion, or for the counterexample and the seed of a property test.
const MESSAGE_LINES = 25

// Stack frames outside of this project.
const FOREIGN_FRAME = /^ +at (?:.*\/node_modules\/|.*\(?node:internal\/|new Promise \()/

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
    .filter((line) => !FOREIGN_FRAME.test(line))
  const head = lines.slice(0, MESSAGE_LINES).map((line) => `    ${line}`)
  return lines.length > MESSAGE_LINES ? [...head, '    ...'] : head
}

function failuresOfFile({ name, status, message = '', assertionResults }) {
  const relativePath = path.relative('.', name)
  // The file could not be loaded, or a hook of it failed.
  const ofFile = status === 'failed' && message !== '' ? [relativePath, ...indentedHead(message)] : []
  const ofTests = assertionResults
    .filter((test) => test.status !== 'passed')
    .flatMap((test) => [
      `${relativePath} > ${[...test.ancestorTitles, test.title].join(' > ')} (${test.status})`,
      ...indentedHead(test.failureMessages.join('\n')).filter((line) => line.trim() !== ''),
    ])
  return [...ofFile, ...ofTests]
}

function summarize() {
  const report = read()
  // vitest crashed before it wrote the report.
  if (!report) return { passed: 0, failed: 1, failures: ['vitest ended without a report'] }
  const unloadable = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  const passed = report.numPassedTests
  const failed = report.numFailedTests + report.numPendingTests + report.numTodoTests + unloadable
  const failures = report.testResults.flatMap(failuresOfFile)
  // The counts include neither unhandled errors, which belong to no test, nor a project without tests.
  if (failed === 0 && (exitCode !== '0' || passed === 0)) {
    const why = passed === 0 ? 'no test was run' : `vitest ended with exit code ${exitCode}, though no test failed`
    return { passed, failed: 1, failures: failures.length > 0 ? failures : [why] }
  }
  return { passed, failed, failures }
}

const { passed, failed, failures } = summarize()
console.log([`${passed} ${failed}`, ...failures].join('\n'))
