import { BadInput } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import { isShellName } from '../../../base/variable-name.js'
import { referenceTo } from '../environment.js'
import type { Capability } from '../metadata.js'
import { dependenciesLine } from './recorded-dependencies.js'

export interface DropletScripts {
  readonly startup: string
  readonly stop: string
}

export interface DropletProgram {
  /** As the shell reads it. `%VCAP_LOCAL_RUNTIME%` is replaced by whoever runs the droplet. */
  readonly command: string
  /** Defaults: a value that whoever runs the droplet passes wins. */
  readonly environment: Readonly<Record<string, string>>
  /** Where the application was when it was staged: the droplet has it in `app`. `/` is the root. */
  readonly startPath: string
  /** Recorded for `stagectl droplet run`. */
  readonly dependencies?: readonly Capability[]
}

/** Where in a droplet the application is. */
export const APP = 'app'

/**
 * The two scripts of a droplet. `startup` is started in the directory of the droplet; `stop` anywhere, with the PIDs of
 * what it is to end, or with none for those in `run.pid`.
 *
 * Paths in the application hold wherever the droplet is unpacked: in values, those that begin with `startPath`; in the
 * command the same, as a reference to DROPLET_BASE_DIR, so a directory whose name has blanks needs a command without them.
 *
 * Throws `BadInput` (`bad-environment`) for a variable that no shell can set.
 */
export function dropletScripts({ command, environment, startPath, dependencies = [] }: DropletProgram): DropletScripts {
  const moved = (text: string, base: string) => withMovedPaths(text, startPath, base)
  const exports = Object.entries(environment).map(([name, value]) => exportOf(name, value, moved))
  return {
    startup: `${[
      '#!/bin/bash',
      ...dependenciesLine(dependencies),
      'export TMPDIR="$PWD/tmp"',
      'export PORT="${PORT:-$VCAP_APP_PORT}"',
      ...exports,
      'export DROPLET_BASE_DIR=$PWD',
      `cd ${APP} || exit 1`,
      // A process group of its own, so that the stop script finds what the command has started.
      'set -m',
      `/bin/sh -c ${singleQuoted(moved(command, '$DROPLET_BASE_DIR'))} > ../logs/stdout.log 2> ../logs/stderr.log < /dev/null &`,
      'STARTED=$!',
      'set +m',
      'echo "$STARTED" >> ../run.pid',
      `trap 'kill -TERM -- "-$STARTED" 2> /dev/null' TERM INT`,
      'wait "$STARTED"; status=$?',
      // A signal ends `wait`, and not the program.
      'while kill -0 "$STARTED" 2> /dev/null; do wait "$STARTED"; status=$?; done',
      'exit "$status"',
    ].join('\n')}\n`,
    stop: STOP,
  }
}

/** Signals process groups. The pattern keeps 0 and 1 out, which would stand for many others. */
const STOP = `#!/bin/bash
cd -- "$(dirname -- "\${BASH_SOURCE[0]}")" || exit 1
if (($# == 0)) && [[ -e run.pid ]]; then mapfile -t given < run.pid; else given=("$@"); fi
groups=()
for pid in "\${given[@]}"; do
  if [[ $pid =~ ^[1-9][0-9]*$ ]] && ((pid > 1)); then groups+=("-$pid"); fi
done
signal() {
  local group found=1
  for group in "\${groups[@]}"; do
    if kill "-$1" -- "$group" 2> /dev/null; then found=0; fi
  done
  return "$found"
}
signal TERM
for ((tries = 0; tries < 100; tries++)); do
  signal 0 || break
  sleep 0.1
done
signal KILL
rm -f run.pid
`

/**
 * A value may refer to the one that is passed, as in `/app/bin:$PATH`. Without one, the colon between them is left out,
 * too: an empty element of a search path means the current directory.
 */
function exportOf(name: string, value: string, moved: (text: string, base: string) => string): string {
  if (!isShellName(name))
    throw new BadInput(
      'bad-environment',
      `The variable ${quote(name)} cannot be in a droplet, because a shell cannot set it: rename it.`,
    )
  // Values are first moved with a NUL for the base, which no value contains, so that quoting leaves it alone.
  const own = moved(value, '\0')
  const parts = own.split(new RegExp(`(^${referenceTo(name)}:|:?${referenceTo(name)})`))
  if (parts.length > 1)
    return `export ${name}=${parts.map((part, index) => (index % 2 === 0 ? word(part) : passed(name, part))).join('')}`
  if (PLAIN.test(own)) return `export ${name}="\${${name}:-${own.replaceAll('\0', '$PWD')}}"`
  return `if [[ -z \${${name}-} ]]; then ${name}=${word(own)}; fi; export ${name}`
}

/** What needs no quotes but double ones, not even in the word of `${NAME:-WORD}`. */
const PLAIN = /^[\w\0 ./:;,@%+=?&#~*[\]-]*$/

function word(text: string): string {
  return text.split('\0').map(singleQuoted).join('"$PWD"')
}

/** @param reference perhaps with the colon that separates it */
function passed(name: string, reference: string): string {
  if (reference.endsWith(':')) return `"\${${name}:+$${name}:}"`
  return reference.startsWith(':') ? `"\${${name}:+:$${name}}"` : `"\${${name}-}"`
}

function withMovedPaths(text: string, startPath: string, base: string): string {
  if (startPath === '/') return text
  const path = startPath.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
  return text.replace(new RegExp(`(?<![\\w./-])${path}(?![\\w.-])`, 'g'), () => `${base}/${APP}`)
}

function singleQuoted(text: string): string {
  return text === '' ? '' : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
