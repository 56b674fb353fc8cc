import { writeSync } from 'node:fs'
import { openEngineless } from './engineless-daemon.js'

// A daemon without an Engine as a process, which a test kills: node engineless-process.js STATE SOCKET

const [stateDir = '', socket = ''] = process.argv.slice(2)
const { daemon } = await openEngineless({ stateDir, socket })
await daemon.start()
writeSync(1, 'ready\n')
