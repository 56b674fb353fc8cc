// Makes dist from src, with nothing but Node.js.
import { mkdir, readFile, writeFile } from 'node:fs/promises'

await mkdir('dist', { recursive: true })
const source = await readFile('src/server.js', 'utf8')
await writeFile('dist/server.js', source.replaceAll('__MAJOR__', process.versions.node.split('.')[0]))
