import type { Command } from 'commander'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { DropletRunDraft } from '../../daemon/documents/droplet.js'
import { followRun } from '../follow/follow-run.js'
import { addLimitOptions, limitsOf, type LimitOptions } from '../options/limit-options.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { collectEnvironment, type Environment } from '../options/parse-environment.js'
import { collectPublished, type PublishedPort } from '../options/parse-publish.js'
import { parseRuntime } from '../options/parse-runtime.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { readTextFile } from '../session/read-text-file.js'
import type { Session } from '../session/session.js'
import { nameOfSource } from '../source/name-of-source.js'
import { prepareFile } from '../transfer/prepare-tarball.js'
import { uploadDroplet } from '../transfer/upload.js'

interface DropletRunOptions extends LimitOptions {
  readonly publish?: readonly PublishedPort[]
  readonly env?: Environment
  readonly services?: string
  readonly runtime?: Capability
  readonly dependsOn?: readonly Capability[]
  readonly allowEgress?: boolean
}

export function addDropletRunCommand(group: Command, commandLine: CommandLine): void {
  const command = group
    .command('run <file>')
    .description(
      'Run a droplet in the foreground, as the execution agents of Cloud Foundry did: its startup script as the user runner, with both logs as output. The exit code is that of the script. Ctrl-C has its stop script end it, and waits.',
    )
    .option(
      '-p, --publish <host:container>',
      'publish a port of the droplet on this host; without a host port, a free one is chosen; the first is VCAP_APP_PORT and PORT, which are 8080 otherwise (repeatable)',
      collectPublished,
    )
    .option(
      '-e, --env <key=value>',
      'environment variable, which overrides one of the droplet (repeatable)',
      collectEnvironment,
    )
    .option('--services <file>', 'JSON for VCAP_SERVICES: arrays of services, by their label (default: none)')
    .option(
      '--runtime <name-version>',
      'runtime to run on, such as ruby-3.1, also for %VCAP_LOCAL_RUNTIME%; by default what stagerd has recorded in the droplet',
      parseRuntime,
    )
    .option(
      '--depends-on <type.name,...>',
      'what else it runs on, in place of what is recorded (repeatable)',
      collectCapabilities,
    )
    .option('--allow-egress', 'allow network access beyond this host')
    .addHelpText(
      'after',
      examples(
        'droplet run my-app.tgz --publish 8080:8080',
        'droplet run old-app.tgz --runtime ruby-3.1 --services services.json -e RACK_ENV=test',
        'droplet run daemon.tgz --depends-on os.debian --memory 64MB --timeout 10m',
      ),
    )
  addLimitOptions(command).action(commandLine.run(runDroplet))
}

async function runDroplet(session: Session, options: DropletRunOptions, file: string): Promise<number> {
  const limits = limitsOf(options)
  const { name } = nameOfSource(file, false)
  const services = options.services === undefined ? undefined : await readServices(session, options.services)
  const chosen = [...(options.runtime ? [options.runtime] : []), ...(options.dependsOn ?? [])]
  const { namespace } = session
  const { sha256, dependencies } = await uploadDroplet(session, await prepareFile(session, file), namespace)
  const draft: DropletRunDraft = {
    ...{ droplet: sha256, name, namespace },
    dependencies: chosen.length > 0 ? chosen : dependencies,
    ...(services === undefined ? {} : { services }),
    ...(options.env === undefined ? {} : { environment: { ...options.env } }),
    ...(options.publish === undefined ? {} : { publish: [...options.publish] }),
    ...(options.allowEgress === undefined ? {} : { allow_egress: options.allowEgress }),
    ...(limits ? { limits } : {}),
  }
  return await followRun(session, { path: '/v1/droplet-runs', draft, name })
}

async function readServices(session: Session, file: string): Promise<NonNullable<DropletRunDraft['services']>> {
  const text = await readTextFile(session, file, 'give the path of a JSON file')
  const refuse = (why: string) =>
    new BadInput(
      'bad-services',
      `${quote(file)} ${why}: VCAP_SERVICES is an object of arrays, such as {"mysql-5.1": [{"name": "db", "credentials": {}}]}.`,
    )
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw refuse('is not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw refuse('is no object')
  const [wrong] = Object.entries(parsed).find(([, value]) => !Array.isArray(value)) ?? []
  if (wrong !== undefined) throw refuse(`has no array at ${quote(wrong)}`)
  return parsed as NonNullable<DropletRunDraft['services']>
}
