// Exits with 0 when better-sqlite3 loads its native library, which happens when a database is opened. Otherwise prints
// one sentence that says what to do.
import Database from 'better-sqlite3'

try {
  new Database(':memory:').close()
} catch (error) {
  const reason = error.code === 'ERR_DLOPEN_FAILED' ? error.message.replace(/\s+/g, ' ') : 'it is missing'
  console.error(
    `Node.js ${process.version} (${process.execPath}) cannot load the native library of better-sqlite3: ` +
      `run "npm ci" with this Node.js and with install scripts enabled (${reason}).`,
  )
  process.exitCode = 1
}
