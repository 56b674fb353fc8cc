// "PASSED FAILED" from the JSON report of vitest and its exit code.
import { readFileSync } from 'node:fs'

const [file, exitCode] = process.argv.slice(2)

function count() {
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // It did not come so far as to write one.
    return { passed: 0, failed: 1 }
  }
  const unloadable = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  const passed = report.numPassedTests
  const failed = report.numFailedTests + report.numPendingTests + report.numTodoTests + unloadable
  // Unhandled errors belong to no test and stand in no count; neither does a project without any test.
  return { passed, failed: exitCode !== '0' || passed === 0 ? Math.max(failed, 1) : failed }
}

const { passed, failed } = count()
console.log(`${passed} ${failed}`)
