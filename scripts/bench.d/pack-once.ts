import { resourceUsage } from 'node:process'
import { packDirectory } from '../../cli/pack/pack-directory.js'

/** Packs a directory in a process of its own, as `stagectl stage` does. Prints the peak memory of the process in MB. */
const [directory = '.'] = process.argv.slice(2)
const tarball = await packDirectory({ directory, prefix: '', env: process.env, signal: new AbortController().signal })
await tarball.dispose()
console.log(resourceUsage().maxRSS / 1024)
