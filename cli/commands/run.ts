import type { Command } from 'commander'
import type { RunDraft } from '../../daemon/documents/run.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { collectPublished, type PublishedPort } from '../options/parse-publish.js'
import { addLimitOptions, limitsOf, type LimitOptions } from '../options/limit-options.js'
import { followRun } from '../follow/follow-run.js'
import { refInUse } from '../session/look-up.js'
import type { Session } from '../session/session.js'

interface RunOptions extends LimitOptions {
  readonly publish?: readonly PublishedPort[]
  readonly env?: Environment
  readonly command?: string
  readonly interactive?: boolean
  readonly user?: string
  readonly allowEgress?: boolean
}

export function addRunCommand(program: Command, commandLine: CommandLine): void {
  const command = program
    .command('run <name>')
    .description(
      'Run a ready package in the foreground, with its dependencies. The exit code is that of its program. Ctrl-C stops the program and waits until it has ended.',
    )
    .option(
      '-p, --publish <host:container>',
      'publish a port of the package on this host; without a host port, a free one is chosen; the program finds a single port in PORT (repeatable)',
      collectPublished,
    )
    .option(
      '-e, --env <key=value>',
      'environment variable, which overrides one of the package (repeatable)',
      collectEnvironment,
    )
    .option('--command <cmd>', 'command to run instead of the START_COMMAND of the package')
    .option('-i, --interactive', 'pass standard input to the program; without it, its input is empty')
    .option('--user <user>', 'user in the container to run as (default: runner)')
    .option('--allow-egress', 'allow network access beyond this host')
    .addHelpText(
      'after',
      examples('run my-app --publish 8080:3000', 'run my-app -i < input.json', "run my-app --command 'node --version'"),
    )
  addLimitOptions(command).action(commandLine.run(run))
}

async function run(session: Session, options: RunOptions, name: string): Promise<number> {
  const limits = limitsOf(options)
  const draft: RunDraft = {
    package: await refInUse(session, name, 'package'),
    ...(options.command === undefined ? {} : { command: options.command }),
    ...(options.env === undefined ? {} : { environment: { ...options.env } }),
    ...(options.interactive === undefined ? {} : { input: options.interactive }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.publish === undefined ? {} : { publish: [...options.publish] }),
    ...(options.allowEgress === undefined ? {} : { allow_egress: options.allowEgress }),
    ...(limits ? { limits } : {}),
  }
  return await followRun(session, { path: '/v1/runs', draft, name })
}
