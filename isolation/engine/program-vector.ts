import { isShellName } from '../../base/variable-name.js'

/**
 * Starts a program with variables that a shell cannot name. dash and the shell of an older busybox drop them when they
 * start, bash passes them on. So they are set again behind the shells of init, and bash runs the command where the root
 * has it. Else a command of plain words runs without a shell; that is the form in which images give theirs. The names of
 * the shell's own variables must not be those of the program.
 */
const WITH_VARIABLES = String.raw`_stagerd_command=$1 _stagerd_words=$2
shift 2
if [ -x /bin/bash ]; then
  set -- "$@" /bin/bash -c "$_stagerd_command"
elif [ -n "$_stagerd_words" ] && case $(eval "set -- $_stagerd_words" && command -v "$1") in */*) ;; *) false ;; esac; then
  eval "set -- \"\$@\" $_stagerd_words"
else
  case $(env stagerd.probe=kept /bin/sh -c env) in
    *stagerd.probe=kept*) ;;
    *) echo 'stagerd: /bin/sh passes on no variables with names such as a.b: add bash to this root, or use env(1)' >&2 ;;
  esac
  set -- "$@" /bin/sh -c "$_stagerd_command"
fi
exec env -- "$@"`

/** Only words that a shell takes literally, in single quotes or without special characters. */
const PLAIN_WORDS = /^(?:(?:[A-Za-z0-9_@%+=:,./-]|'[^']*'|\\')+(?: +|$))+$/

/** The argument vector of the program, for init. `/bin/sh -c` interprets the command. */
export function programVector(command: string, environment: Readonly<Record<string, string>>): string[] {
  const unnameable = Object.entries(environment).filter(([name]) => !isShellName(name))
  if (unnameable.length === 0) return ['/bin/sh', '-c', command]
  const words = command.trim().replace(/^exec +/, '')
  const variables = unnameable.map(([name, value]) => `${name}=${value}`)
  return ['/bin/sh', '-c', WITH_VARIABLES, 'stagerd', command, PLAIN_WORDS.test(words) ? words : '', ...variables]
}
