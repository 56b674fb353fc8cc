import { writeSync } from 'node:fs'
import { openEngineless } from './engineless-daemon.js'

// A daemon without an Engine as a process, which a test kills: node engineless-process.js STATE SOCKET [FLAGS],
// with further settings in JSON, by their names in camel case.

const [stateDir = '', socket = '', flags = '{}'] = process.argv.slice(2)
const more = JSON.parse(flags) as Readonly<Record<string, string>>
const { daemon } = await openEngineless({ ...more, stateDir, socket })
await daemon.start()
writeSync(1, 'ready\n')
