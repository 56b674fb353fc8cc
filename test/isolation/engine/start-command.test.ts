import { expect, it } from 'vitest'
import { firstProgram } from '../../../isolation/engine/start-command.js'

const read = (command: string) => {
  const environment = { APP: '/opt/app', LIST: 'a b', PATH: '/bin' }
  const first = firstProgram(command, { workingDirectory: '/work', environment })
  return first && [first.directory, ...first.words]
}

it.each([
  ['./stager', ['/work', './stager']],
  ['./stager --port 80 "a b" \'c d\' e\\ f', ['/work', './stager', '--port', '80', 'a b', 'c d', 'e f']],
  ['exec ./stager', ['/work', './stager']],
  ['cd app && exec ./stager', ['/work/app', './stager']],
  ['cd "$APP" && $APP/bin/run', ['/opt/app', '/opt/app/bin/run']],
  ['A=1 B="2 3" ./stager', ['/work', './stager']],
  ['set -e; umask 022; cd /a && cd ../b && ./stager', ['/b', './stager']],
  ['export HERE=/here && $HERE/run', ['/work', '/here/run']],
  ['HERE=/here; $HERE/run', ['/work', '/here/run']],
  ['./stager >/tmp/log 2>&1 </dev/null', ['/work', './stager']],
  ['./stager && ./next', ['/work', './stager']],
  ['\n# a comment\n./stager # another\n', ['/work', './stager']],
  ['./stager *.txt $(date', undefined],
  ['./stager *.txt $LIST', ['/work', './stager', undefined, undefined]],
])('the shell first executes the program of %j', (command, expected) => {
  expect(read(command)).toEqual(expected)
})

it.each([
  '',
  '# nothing',
  './a || ./b',
  './a; ./b',
  './a | ./b',
  './a & wait',
  'cd app; ./stager',
  'cd app || exit 3',
  '(./a)',
  '{ ./a; }',
  '! ./a',
  'if ./a && ./b; then exit 0; fi',
  'while true; do ./a; done',
  'echo hello',
  'exit 127',
  '. ./environment && ./stager',
  'eval ./stager',
  '$(which stager)',
  '`which stager`',
  '$LIST',
  '~/stager',
  './stage?',
  "./stager 'open",
  'cat <<END\n./x\nEND',
])('what the shell executes first is not certain for %j', (command) => {
  expect(read(command)).toBeUndefined()
})
