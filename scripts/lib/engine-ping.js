// Exits with 0 when a Docker Engine answers.
import { engine } from './engine-api.js'

try {
  process.exitCode = (await engine('GET', '/_ping', 5_000)).startsWith('OK') ? 0 : 1
} catch (error) {
  if (process.argv.includes('--explain')) console.error(error.message)
  process.exitCode = 1
}
