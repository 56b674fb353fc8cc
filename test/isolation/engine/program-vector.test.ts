import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { programVector } from '../../../isolation/engine/program-vector.js'

const run = async (command: string, environment: Record<string, string>) => {
  const [file = '', ...args] = programVector(command, environment)
  const env = { PATH: process.env.PATH, ...environment }
  // As init starts it.
  return await execa(file, args, { env, extendEnv: false, stdin: 'ignore', reject: false })
}
const PRINT = `node -e 'process.stdout.write(JSON.stringify(Object.entries(process.env).filter(([k]) => k.startsWith("x"))))'`

/** The shell of this host is that of the root: dash on Debian, which drops these variables, as that of busybox does. */
describe('the program of a container', () => {
  it('is interpreted by /bin/sh', () => {
    expect(programVector('cd /app && ./run "$PORT"', { PORT: '1' })).toEqual([
      '/bin/sh',
      '-c',
      'cd /app && ./run "$PORT"',
    ])
  })

  it('gets variables of any name, through init and every shell before it', async () => {
    const environment = {
      x1: 'plain',
      'x.type': 'single node',
      'x y': "it's",
      'x-"$z': '',
      'x(){': 'a=b',
      'xé\n': '1\n2',
    }
    const { stdout, stderr } = await run(`true && ${PRINT}`, environment)
    expect(stderr).toBe('')
    expect((JSON.parse(stdout) as string[][]).sort()).toEqual(Object.entries(environment).sort())
  })

  it('keeps its exit code, its working directory and the expansions of its shell', async () => {
    const { stdout, exitCode } = await run('echo "$x1 $(pwd)"; exit 7', { x1: 'one', 'x.2': 'two' })
    expect({ stdout, exitCode }).toEqual({ stdout: `one ${process.cwd()}`, exitCode: 7 })
  })
})
