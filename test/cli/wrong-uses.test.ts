import { randomBytes } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RealApi } from './support/real-api.js'
import { writeTree } from './support/workspace.js'

// Every refusal is read as its user reads it: one sentence that says what is wrong and what would be right.

let real: RealApi
beforeAll(async () => {
  real = await RealApi.open()
  await real.addPackage('/', 'app')
  for (const [namespace, name] of [
    ['/', 'tests'],
    ['/apcera', 'nodejs'],
  ] as const)
    await real.addStager(namespace, name)
  await real.addPipeline('/apcera', 'nodejs', 'job::/apcera::nodejs')
  await real.addPipeline('/', 'single', 'job::/apcera::nodejs')
  await real.addPipeline('/', 'twice', 'job::/::tests', 'job::/apcera::nodejs', 'job::/::tests')
  await writeTree(path.join(real.root, 'app'), { 'package.json': '{}' })
  await writeTree(real.root, {
    loop: '-> loop',
    directory: null,
    'rules.pol': 'on job::/ { package.alow package::/::x }',
    'broken/stagectl/config.json': '{"namespace":',
    'wrong/stagectl/config.json': '{"namespace":"acme"}',
    'a-file': '',
    // Its archive goes to a temporary file.
    'large/index.js': randomBytes(128 * 1024).toString('base64'),
  })
  await mkdir(path.join(real.root, 'locked'))
  await writeFile(path.join(real.root, 'locked/secret'), '')
  await chmod(path.join(real.root, 'locked'), 0)
  await chmod(path.join(real.root, 'app'), 0o555)
})
afterAll(async () => {
  for (const directory of ['locked', 'app']) await chmod(path.join(real.root, directory), 0o700)
  await real.close()
})

const LONG = 'n'.repeat(300)
const ID = '5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'
const create = ['stager', 'create', 'x', '--path', 'app', '--start-command', './x']
const stage = ['stage', 'app', '--pipeline', 'nodejs']

interface Row {
  readonly argv: readonly string[]
  readonly exit: number
  readonly code: string
  /** ROOT stands for the current directory. */
  readonly says: string
  readonly env?: Readonly<Record<string, string>>
  /** Runs as a user that may not read or write everything. */
  readonly asNobody?: boolean
}

const usage = (argv: readonly string[], says: string): Row => ({ argv, exit: 2, code: 'usage', says })
const bad = (argv: readonly string[], code: string, says: string, more: Partial<Row> = {}): Row => ({
  argv,
  exit: 4,
  code,
  says,
  ...more,
})

const ROWS: readonly Row[] = [
  usage(['stge'], 'There is no command stge: did you mean stage?'),
  usage(['pipeline', 'drop', 'x'], 'There is no command drop: see the commands with --help.'),
  usage(['stage'], 'Give either a source, such as `stagectl stage .`, or the name of an image with --image.'),
  usage(
    ['stage', '.', '--image', 'shop:1'],
    'Give either a source, such as `stagectl stage .`, or the name of an image with --image.',
  ),
  usage(['package', 'build'], 'The argument <script> is missing: see the usage with --help.'),
  usage([...stage, '--pipline', 'x'], 'There is no option --pipline: did you mean --pipeline?'),
  usage([...stage, '--xyzzy'], 'There is no option --xyzzy: see the options with --help.'),
  usage([...stage, '--name'], 'The option --name <name> lacks its value: write the value after it.'),
  usage(
    ['package', 'show', 'my', 'app'],
    'show takes 1 argument(s), but 2 are given: put values with spaces into quotes.',
  ),
  usage(['package', 'download', 'app'], 'The option -f, --file <file> is missing: this command needs it.'),
  usage(['stage', ''], 'An argument is empty: give it a value, or leave it out.'),
  usage([...stage, '--name', ''], 'The value of --name is empty: give it a value, or leave the option out.'),
  usage([...stage, '--detach', '-o', 'x'], '--output and --detach exclude each other: give only one of them.'),
  usage(
    [...create, '--memory', '2 apples'],
    '"2 apples" is not a size: write a number of bytes, or a number with one of the units B, KB, MB, GB and TB, such as 256MB or 1.5G.',
  ),
  usage(
    [...create, '--memory', '256'],
    '"256" is too small a limit: the smallest is 6 MB; write it with a unit, such as 256MB.',
  ),
  usage(
    [...create, '--timeout', '10'],
    '"10" is not a duration: write a number with a unit (ms, s, m, h, d or w), such as 90s, 10m or 1h30m.',
  ),
  usage([...create, '--timeout', '10ms'], '"10ms" is too short a time limit: the shortest is 1s.'),
  usage([...create, '--cpus', 'two'], '"two" is not a number of CPUs: write a number such as 0.5 or 2.'),
  usage([...create, '--pids', '1'], '"1" is not an integer of at least 2: write a number such as 512.'),
  usage(
    ['run', 'app', '-p', '70000:80'],
    '"70000:80" is not a port to publish: write HOST:CONTAINER, such as 8080:80, or only CONTAINER for a free port of the host.',
  ),
  usage(
    [...stage, '--depends-on', 'engine.v8'],
    '"engine.v8" is not a capability: write TYPE.NAME, such as runtime.node, with one of the types os, runtime, file, package.',
  ),
  usage(
    ['package', 'update', 'app'],
    'There is nothing to change: give at least one option (see `stagectl package update --help`).',
  ),
  usage(['package', 'resolve'], 'There is nothing to resolve: give a package, or dependencies with --depends-on.'),
  usage(
    ['package', 'import', 'x', '--override', '--skip-existing'],
    '--override and --skip-existing exclude each other: give only one of them.',
  ),
  usage(
    ['package', 'list', '--type', 'lib'],
    '"lib" is not a type of capability: write one of os, runtime, file, package.',
  ),
  usage(
    ['staging', 'list', '--state', 'done'],
    '"done" is not a state of a staging: write one of queued, running, succeeded, failed, cancelled.',
  ),
  usage(
    ['staging', 'list', '--since', 'yesterday'],
    '"yesterday" is not a time: write a duration such as 2h, or a time such as 2024-05-01T10:00.',
  ),
  usage(['staging', 'list', '--limit', '5000'], 'A list has at most 1000 stagings: use --since for older ones.'),
  usage(['staging', 'logs', ID, '--since', '-1'], '"-1" is not an integer of at least 0: write a number such as 120.'),
  usage(
    ['stager', 'update', 'tests', '--staging', 'nodejs'],
    '--staging needs a new program: give its directory with --path.',
  ),
  usage(
    ['pipeline', 'clone', 'single'],
    'stagpipe::/::single is in the current namespace already: give the clone a name of its own.',
  ),
  bad(
    ['package', 'show', 'my app'],
    'bad-name',
    '"my app" is not a name: a name has 1 to 128 letters, digits or ._+@- and begins with a letter or digit.',
  ),
  bad(
    ['package', 'show', '/acme/app'],
    'bad-name',
    '"/acme/app" is not a name: write two colons before the name, as in /acme::app.',
  ),
  bad(
    ['package', 'show', 'job::/::app'],
    'bad-fqn',
    '"job::/::app" names a job, but a package is expected: write package::/::app.',
  ),
  bad(['package', 'show', 'package::app'], 'bad-fqn', '"package::app" lacks its namespace: write package::/::app.'),
  bad(
    ['package', 'show', 'app', '--namespace', 'acme'],
    'bad-namespace',
    '"acme" is not a namespace: a namespace begins with / and has segments of letters, digits or ._- such as /acme/pkg.',
  ),
  bad(
    ['package', 'show', 'ap'],
    'package-not-found',
    'There is no package ap in / or /apcera: see `stagectl package list`.',
  ),
  bad(
    ['run', 'ap', '--namespace', '/acme'],
    'package-not-found',
    'There is no package ap in /acme or /apcera: see `stagectl package list`.',
  ),
  bad(
    ['stage', 'app', '--pipeline', 'rust'],
    'pipeline-not-found',
    'There is no pipeline rust in / or /apcera: see `stagectl pipeline list`.',
  ),
  bad(
    ['stage', 'app', '--pipeline', 'ruby'],
    'pipeline-not-found',
    'There is no pipeline ruby in / or /apcera: make it with `stagectl bootstrap ruby`.',
  ),
  bad(
    ['stage', 'app', '--pipeline', '/apcera::ruby'],
    'pipeline-not-found',
    'There is no pipeline stagpipe::/apcera::ruby: make it with `stagectl bootstrap ruby`.',
  ),
  bad(
    ['stage', 'app', '--pipeline', '/acme::ruby'],
    'pipeline-not-found',
    'There is no pipeline stagpipe::/acme::ruby: see `stagectl pipeline list`.',
  ),
  bad(
    ['stage', '--image', 'shop:1'],
    'pipeline-not-found',
    'There is no pipeline docker in / or /apcera: make it with `stagectl bootstrap docker`.',
  ),
  bad(
    ['stage', '--image', 'Shop:1', '--pipeline', 'nodejs'],
    'bad-image',
    '"Shop:1" is not a valid image reference: write a name with a tag, such as debian:12, or with @ and a digest.',
  ),
  bad(
    ['pipeline', 'create', 'x', 'ruby'],
    'stager-not-found',
    'There is no stager ruby in / or /apcera: make it with `stagectl bootstrap ruby`.',
  ),
  bad(
    ['pipeline', 'create', 'x', 'rust'],
    'stager-not-found',
    'There is no stager rust in / or /apcera: see `stagectl stager list`.',
  ),
  bad(
    ['pipeline', 'delete', 'nodejs'],
    'pipeline-not-found',
    'There is no pipeline stagpipe::/::nodejs: see `stagectl pipeline list`.',
  ),
  bad(
    ['pipeline', 'remove', 'twice', 'tests'],
    'stager-ambiguous',
    'stagpipe::/::twice has job::/::tests at the positions 1 and 3: give the position of the one to remove.',
  ),
  bad(
    ['pipeline', 'remove', 'twice', 'tests', '--position', '2'],
    'bad-position',
    'job::/::tests is not at position 2 of stagpipe::/::twice, but at 1 and 3.',
  ),
  bad(
    ['pipeline', 'remove', 'single', 'nodejs'],
    'empty-pipeline',
    'job::/apcera::nodejs is the only stager of stagpipe::/::single: delete the pipeline instead.',
  ),
  bad(
    ['pipeline', 'remove', 'single', 'tests'],
    'stager-not-in-pipeline',
    'stagpipe::/::single does not contain job::/::tests or job::/apcera::tests: its stagers are job::/apcera::nodejs.',
  ),
  bad(
    ['staging', 'show', 'latest'],
    'bad-staging-id',
    '"latest" is not the ID of a staging: see `stagectl staging list`.',
  ),
  bad(
    ['staging', 'cancel', '5f0c6d0e'],
    'staging-not-found',
    'No ID of the last 1000 stagings begins with "5f0c6d0e": give the whole ID, or see `stagectl staging list`.',
  ),
  bad(['staging', 'show', ID], 'staging-not-found', `There is no staging ${ID}: see \`stagectl staging list\`.`),
  bad(['stage', 'nowhere'], 'no-such-source', 'There is no "nowhere": give a source directory, a tarball or a zip.'),
  bad(['stage', 'loop'], 'link-loop', '"loop" is a symbolic link that leads in a circle: give the directory itself.'),
  bad(
    [...stage, '-o', 'directory'],
    'is-a-directory',
    '"ROOT/directory" is a directory: give the path of a file in it.',
  ),
  bad([...stage, '-o', 'no/such/x'], 'no-such-directory', 'There is no directory "ROOT/no/such": create it first.'),
  bad(
    [...stage, '-o', '/dev/null'],
    'not-a-file',
    '"/dev/null" is not a regular file: give the path of one, or a new path.',
  ),
  bad(
    [...stage, '-o', '/dev/null/x'],
    'not-a-directory',
    '"/dev/null/x" cannot be used: a part of its path is not a directory; check the path.',
  ),
  bad(
    [...stage, '-o', 'locked/x'],
    'file-forbidden',
    '"ROOT/locked/x" cannot be used: permission is denied; change its permissions, or use a path of your own.',
    { asNobody: true },
  ),
  bad(
    ['package', 'download', 'app', '-f', 'app/x'],
    'file-forbidden',
    '"ROOT/app" cannot be used: permission is denied; choose a directory that you can write.',
    { asNobody: true },
  ),
  bad(
    ['package', 'export', 'app', '-f', 'directory'],
    'is-a-directory',
    '"ROOT/directory" is a directory: give the path of a file in it.',
  ),
  bad(
    ['namespace', '/acme'],
    'file-forbidden',
    '"ROOT/app/stagectl/config.json" cannot be created: permission is denied; set XDG_CONFIG_HOME to a directory that you can write, or give the namespace with --namespace or STAGERD_NAMESPACE.',
    { asNobody: true, env: { XDG_CONFIG_HOME: 'ROOT/app' } },
  ),
  bad(
    ['package', 'list'],
    'file-forbidden',
    '"ROOT/locked/stagectl/config.json" cannot be used: permission is denied; set XDG_CONFIG_HOME to a directory that you can write, or give the namespace with --namespace or STAGERD_NAMESPACE.',
    { asNobody: true, env: { XDG_CONFIG_HOME: 'ROOT/locked' } },
  ),
  bad(
    ['package', 'list'],
    'bad-settings',
    'ROOT/broken/stagectl/config.json is invalid (it is not JSON): correct it, or remove it.',
    { env: { XDG_CONFIG_HOME: 'ROOT/broken' } },
  ),
  bad(
    ['policy', 'put', 'prod.pol'],
    'no-such-file',
    '"prod.pol" cannot be used: it does not exist; give the path of a policy document, such as prod.pol.',
  ),
  bad(
    ['policy', 'put', 'directory'],
    'not-a-file',
    '"directory" cannot be read: it is a directory; give the path of a policy document, such as prod.pol.',
  ),
  bad(
    ['package', 'build', 'redis.conf'],
    'no-such-file',
    '"ROOT/redis.conf" cannot be used: it does not exist; give the path of a build script, such as redis.conf.',
  ),
  bad(
    ['package', 'import', 'directory'],
    'not-a-file',
    '"directory" is not a file: give one that `stagectl package export` wrote.',
  ),
  bad(
    ['package', 'from-file', 'a-file', 'app'],
    'name-taken',
    'package::/::app exists already: delete it first, or choose another name.',
  ),
  bad(
    ['stager', 'delete', 'tests'],
    'stager-in-use',
    'job::/::tests is used by stagpipe::/::twice: delete the pipelines first.',
  ),
  {
    argv: ['node', 'status'],
    env: { STAGERD_SOCKET: 'ROOT/no.sock' },
    exit: 3,
    code: 'no-daemon',
    says: 'No stagerd answers at ROOT/no.sock: start it with `sudo stagerd`, or set --socket or STAGERD_SOCKET.',
  },
  {
    argv: ['node', 'status'],
    env: { STAGERD_SOCKET: `/${LONG}` },
    exit: 2,
    code: 'usage',
    says: `"/${LONG.slice(0, 116)}..." is too long for the path of a socket: give --socket or STAGERD_SOCKET one of at most 107 bytes.`,
  },
]

const TITLED = ROWS.map((row) => [row.argv.join(' '), row] as const)

test('the table has fifty wrong uses and more', () => expect(ROWS.length).toBeGreaterThanOrEqual(50))

describe('a wrong use', () => {
  test.each(TITLED)('stagectl %s', async (_argv, row) => {
    const says = inRoot(row.says)
    const { code, io } = await refused(row)
    expect({ code, err: io.err, out: io.out }).toEqual({ code: row.exit, err: `stagectl: ${says}\n`, out: '' })
    const json = await refused({ ...row, argv: [...row.argv, '--json'] })
    expect({ code: json.code, document: json.io.document() }).toEqual({
      code: row.exit,
      document: { error: { code: row.code, message: says } },
    })
  })

  test.each(TITLED)('stagectl %s is refused in words, not in names of errors', (_argv, { says }) => {
    expect(says).toMatch(/^["A-Z/-]|^\w+::|^\w+ takes|^ROOT/)
    expect(says).toMatch(/[.?]$/)
    expect(says).not.toMatch(/\bE[A-Z]{3,}\b|\n| at .*:\d+|undefined|null\b(?!["/])|\[object|querystring|in the body/)
  })
})

describe('a use that looks wrong', () => {
  test('names an unreadable source, and keeps the exit code of bad input', async () => {
    const { code, io } = await refused({
      argv: ['stage', 'locked', '--pipeline', 'nodejs'],
      asNobody: true,
      env: { TMPDIR: '/tmp' },
    })
    expect(code).toBe(4)
    expect(io.err).toMatch(/^stagectl: [^\n]*(locked|source directory)[^\n]*\n$/)
    expect(io.err).not.toContain('EACCES')
  })

  test('names a TMPDIR that cannot be written', async () => {
    const { code, io } = await refused({
      argv: ['stage', 'large', '--pipeline', 'nodejs'],
      asNobody: true,
      env: { TMPDIR: 'ROOT/app' },
    })
    expect(code).toBe(4)
    expect(io.err).toMatch(/^stagectl: [^\n]*\n$/)
    expect(io.err).toContain(inRoot('ROOT/app'))
    expect(io.err).not.toContain('EACCES')
  })
})

/** Runs a row, as another user if it asks for one. */
async function refused({ argv, env = {}, asNobody = false }: Pick<Row, 'argv' | 'env' | 'asNobody'>) {
  const options = { env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, inRoot(value)])) }
  if (!asNobody || process.geteuid?.() !== 0) return await real.run(argv, options)
  process.seteuid?.(65_534)
  try {
    return await real.run(argv, options)
  } finally {
    process.seteuid?.(0)
  }
}

function inRoot(text: string): string {
  return text.replaceAll('ROOT', real.root)
}
