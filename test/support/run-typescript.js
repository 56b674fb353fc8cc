import { resolve } from 'node:path'
import { createViteServer } from 'vitest/node'

// node run-typescript.js FILE.ts ARG…: runs a TypeScript child process of a test with the compiler of the test runner.
const server = await createViteServer({
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, hmr: false, ws: false },
  optimizeDeps: { noDiscovery: true },
})
await server.ssrLoadModule(resolve(process.argv[2]))
await server.close()
