import { examineFirewall } from '../../../isolation/docker/firewall-findings.js'

// The child process of firewall-findings.test.ts: prints the findings as JSON.
process.stdout.write(JSON.stringify(await examineFirewall()))
