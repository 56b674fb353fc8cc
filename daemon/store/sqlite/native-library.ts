import { Fault } from '../../../base/errors.js'
import { Connection } from './connection.js'

/**
 * Loads the native library of better-sqlite3, which otherwise happens when the first database is opened.
 *
 * Throws `Fault` (`native-library`) if npm skipped its install script, or ran it for another major version of Node.js.
 */
export function loadNativeLibrary(openDatabase = () => new Connection(':memory:')): void {
  try {
    openDatabase().close()
  } catch (error) {
    throw new Fault(
      'native-library',
      `Node.js ${process.version} (${process.execPath}) cannot load the native library of better-sqlite3: ` +
        'run "npm ci" with this Node.js and with install scripts enabled.',
      { cause: error },
    )
  }
}
