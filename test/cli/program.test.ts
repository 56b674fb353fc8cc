import { expect, test } from 'vitest'
import { buildProgram } from '../../cli/program.js'
import { Output } from '../../cli/display/output.js'
import { CommandLine } from '../../cli/session/command-line.js'
import { OutputStream } from '../../cli/terminal/output-stream.js'
import { CapturedIo } from './support/captured-io.js'

async function commandsFor(...argv: readonly string[]): Promise<readonly string[]> {
  const io = new CapturedIo('/')
  const { stdin, env, cwd, onInterrupt, onResize } = io
  const owned = {
    stdin,
    env,
    cwd,
    onInterrupt,
    onResize,
    stdout: new OutputStream(io.stdout),
    stderr: new OutputStream(io.stderr),
  }
  const program = await buildProgram(new CommandLine(new Output(owned, false)), argv)
  // What completes command lines is no command of users.
  return program.commands.map((command) => command.name()).filter((name) => name !== '__complete')
}

test('a command loads no other command, because that takes longer than most commands', async () => {
  const all = await commandsFor('--help')
  expect(all.length).toBeGreaterThan(10)
  for (const name of all) expect(await commandsFor(name, '--json')).toEqual([name])
})

test('all commands are there where none is named at the beginning', async () => {
  const all = await commandsFor()
  for (const argv of [['--json', 'stage', '.'], ['stge'], ['help', 'stage'], ['toString']])
    expect(await commandsFor(...argv), argv.join(' ')).toEqual(all)
})
