import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { request } from 'undici'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectNothingLeft } from '../support/leftovers.js'
import { type PrivateDaemon, until } from '../support/private-daemon.js'
import { tarballOf, type Tree } from '../support/tarballs.js'

let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)

/** Runs a droplet, with the text of both outputs so far. */
function start(...args: string[]) {
  const run = daemon.stagectl('droplet', 'run', ...args)
  const said = { stdout: '', stderr: '' }
  run.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  run.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  return { run, said }
}

/** What the droplet answers at its published port. */
async function answerOf({ said }: ReturnType<typeof start>): Promise<string> {
  let text = ''
  await until('the droplet answers', async () => {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(said.stderr) ?? []
    if (url === undefined) return false
    const answer = await request(url).catch(() => undefined)
    text = (await answer?.body.text()) ?? ''
    return answer?.statusCode === 200
  })
  return text
}

const NODE = `require('node:http').createServer((request, response) => {
  console.error('asked')
  response.end(JSON.stringify({ ...process.env, user: require('node:os').userInfo().username, cwd: process.cwd() }))
}).listen(process.env.VCAP_APP_PORT, () => console.log('listening'))
`

const PERL = `use IO::Socket::INET; $| = 1;
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 5, ReuseAddr => 1) or die;
print "listening\\n";
while (my $client = $server->accept) {
  print $client "HTTP/1.0 200 OK\\r\\nContent-Length: 12\\r\\n\\r\\nHello, Perl.";
  close $client;
}
`

/** The tests of droplets that run, on a node with debian-12 and Node.js. */
export function describeDroplets(node: () => PrivateDaemon): void {
  beforeAll(async () => {
    daemon = node()
    // Debian has Perl.
    await daemon.addPackage(await tarballOf(file('perl.tar.gz'), { 'opt/perl': '' }), 'perl-5', {
      provides: 'runtime.perl',
      dependencies: 'os.linux',
    })
  })

  describe('the droplet of a package', () => {
    it.each([
      ['a Node.js application', 'runtime.node-20', 'node app.js', { 'app/app.js': NODE }, '"user":"runner"'],
      ['a Perl application', 'runtime.perl', 'perl /app/app.pl', { 'app/app.pl': PERL }, 'Hello, Perl.'],
    ])('of %s answers, and Ctrl-C stops it', async (_what, dependencies, command, tree, answer) => {
      const name = command.split(' ', 1)[0] ?? ''
      const application = await tarballOf(file(`${name}.tar.gz`), { 'app/': '', ...tree })
      const environment = { START_PATH: '/app', START_COMMAND: command }
      await daemon.addPackage(application, name, { dependencies, environment })
      const droplet = file(`${name}.tgz`)
      expect((await daemon.stagectl('package', 'droplet', name, '-f', droplet)).exitCode).toBe(0)

      const started = start(droplet, '--publish', '3000')
      expect(await answerOf(started)).toContain(answer)
      started.run.kill('SIGINT')
      const { exitCode, stdout } = await started.run
      expect({ exitCode, stdout }, started.said.stderr).toEqual({ exitCode: 14, stdout: 'listening' })
      await expectNothingLeft(daemon)
    })
  })

  describe('a droplet from elsewhere', () => {
    /** As the older service made them. */
    const droplet = async (name: string, tree: Tree) =>
      await tarballOf(file(name), {
        ...{ 'logs/': '', 'tmp/': '', 'app/': '', 'app/app.js': NODE },
        startup: `#!/bin/bash
  export TMPDIR="$PWD/tmp"
  cd app
  %VCAP_LOCAL_RUNTIME% app.js > ../logs/stdout.log 2> ../logs/stderr.log &
  STARTED=$!
  echo "$STARTED" >> ../run.pid
  wait $STARTED
  `,
        stop: '#!/bin/bash\necho "stopping $@" | sed "s/[0-9][0-9]*/PID/" >> logs/stdout.log\nkill -9 $1\n',
        ...tree,
      })

    it('gets the runtime, the ports and the services that it is given, and shows both logs', async () => {
      const services = file('services.json')
      await writeFile(services, '{"mysql-5.1": [{"name": "db"}]}')
      const given = await droplet('old.tgz', {})
      const started = start(given, '--publish', '3000', '--runtime', 'node', '--services', services, '-e', 'MODE=test')
      const environment = JSON.parse(await answerOf(started)) as Record<string, string>
      expect(environment).toMatchObject({
        ...{ VCAP_APP_PORT: '3000', PORT: '3000', MODE: 'test', user: 'runner' },
        ...{ HOME: '/home/vcap/app', TMPDIR: '/home/vcap/tmp', cwd: '/home/vcap/app' },
      })
      expect(JSON.parse(environment.VCAP_SERVICES ?? '')).toEqual({ 'mysql-5.1': [{ name: 'db' }] })
      expect(JSON.parse(environment.VCAP_APPLICATION ?? '')).toMatchObject({
        name: 'old',
        port: 3000,
        instance_index: 0,
      })
      started.run.kill('SIGTERM')
      const { stdout, stderr } = await started.run
      expect(stdout).toBe('listening\nstopping PID')
      expect(stderr).toMatch(/^asked$/m)
      await expectNothingLeft(daemon)
    })

    it('is ended by its stop script when its time is over', async () => {
      const { stdout, stderr, exitCode } = await daemon.stagectl(
        ...['droplet', 'run', await droplet('slow.tgz', {}), '--runtime', 'node', '--timeout', '2s'],
      )
      expect({ stdout, exitCode }, stderr).toEqual({ stdout: 'listening\nstopping PID', exitCode: 11 })
    })

    it('ends with the exit code of its application, after the last line of its logs', async () => {
      const lines = 20_000
      const noisy = `for (let n = 1; n <= ${lines}; n++) console.log('line ' + n); process.exitCode = 7`
      const { stdout, exitCode } = await daemon.stagectl(
        ...['droplet', 'run', await droplet('noisy.tgz', { 'app/app.js': noisy }), '--runtime', 'node-20'],
      )
      expect(exitCode).toBe(7)
      expect(stdout.split('\n')).toEqual(Array.from({ length: lines }, (_, index) => `line ${index + 1}`))
    })

    it.each<[what: string, args: string[], said: string]>([
      ['without a runtime', [], 'The droplet lost does not say what it runs on'],
      ['whose runtime is not there', ['--runtime', 'cobol'], 'runtime.cobol'],
      ['that wants a runtime, on an operating system', ['--depends-on', 'os.linux'], 'choose one with --runtime'],
    ])('%s says what is missing', async (_what, args, said) => {
      const { exitCode, stderr } = await daemon.stagectl('droplet', 'run', await droplet('lost.tgz', {}), ...args)
      expect(exitCode).not.toBe(0)
      expect(stderr).toContain(said)
    })

    it('cannot reach anything but itself, whatever its scripts do', async () => {
      const startup =
        '#!/bin/bash\nls -d /home/vcap/../../etc/shadow; cat /etc/shadow; id -un; ls /stagerfs; touch /etc/x\n'
      const hostile = await droplet('hostile.tgz', { startup, 'logs/stdout.log': 'from before' })
      const { stdout, stderr } = await daemon.stagectl('droplet', 'run', hostile, '--depends-on', 'os.linux')
      expect(stdout).toBe('/home/vcap/../../etc/shadow\nrunner')
      expect(stderr.match(/Permission denied|No such file/g)).toEqual([
        'Permission denied',
        'No such file',
        'Permission denied',
      ])
    })
  })
}
