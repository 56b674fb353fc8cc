/**
 * Process 1 of a container. It starts the program when the daemon writes its start lines, and then acts as its init.
 *
 * - The lines are `KIND MARK COUNT` and as many variables of the program, which a container that was created ahead does
 *   not have yet. They never become part of a script: a variable is one word of `export`. One that begins with `=` is
 *   encoded for `printf %b`, because `read` ends at a line break and some shells have marks of their own among the bytes
 *   above 127.
 * - The mounts below /stagerfs need the namespace of the running container, and the program must not see them
 *   incomplete. It must also not end before the daemon has found its cgroup and its upper directory.
 * - The kernel does not deliver a signal to process 1 that has no handler for it, so SIGTERM would not end a program
 *   there. This init forwards SIGTERM to all processes, and reaps orphans while it waits. A program that ends the others
 *   itself gets it alone.
 * - `wait` of a shell returns early when a trap runs, so it is called again.
 * - A shell gives a program in the background an empty input before it applies redirections, so the input is kept at
 *   descriptor 3.
 * - The counters of the cgroup are removed with the container, and a program often exits when a fork fails. So after a
 *   limit was hit, init waits until the daemon has read the counters and kills the container. It uses shell built-ins
 *   only, because the pids limit may allow no other process. Where standard input belongs to the program, what it has
 *   left there would end a `read`, so init loops until it is killed. The files are those of cgroups version 1 and 2.
 * - In a keepable container, init does not end with the program. It writes an end mark with the exit code to both outputs,
 *   behind all that the program has written, and waits until its standard input is closed. On SIGUSR1 it writes the mark
 *   while the program runs; on SIGUSR2 it kills the program. The program may have left the pipes in the mode in which a
 *   write to a full pipe fails, so init repeats it; no process writes into the middle of so few bytes.
 */
const INIT = `read -r stagerd_start stagerd_mark stagerd_count || exit 125
while [ "$stagerd_count" -gt 0 ]; do
  stagerd_count=$((stagerd_count - 1))
  IFS= read -r stagerd_line || exit 125
  case "$stagerd_line" in
    =*) stagerd_line=$(printf '%b.' "\${stagerd_line#=}") && stagerd_line=\${stagerd_line%.} || exit 125 ;;
  esac
  export "$stagerd_line"
done
trap 'kill -TERM -1' TERM
end() {
  until printf '\\036%s%03d' "$stagerd_mark" "$1" 2>/dev/null; do :; done
  until printf '\\036%s%03d' "$stagerd_mark" "$1" >&2; do :; done
}
if [ "$stagerd_start" = alone ]; then trap 'kill -TERM "$!"' TERM; fi
if [ "$stagerd_start" = keep ]; then trap 'end 999' USR1; trap 'kill -KILL -1' USR2; fi
if [ "$stagerd_start" = input ]; then exec 3<&0; "$@" <&3 3<&- & else "$@" </dev/null & fi
wait "$!"
status=$?
while kill -0 "$!" 2>/dev/null; do wait "$!"; status=$?; done
if [ "$stagerd_start" = keep ]; then
  trap '' USR1 USR2
  end "$status"
  while read -r _; do :; done
  exit "$status"
fi
hit=
cgroup=/sys/fs/cgroup
for file in $cgroup/pids/pids.events $cgroup/pids.events $cgroup/memory/memory.oom_control $cgroup/memory.events; do
  [ -r "$file" ] || continue
  while read -r name count; do
    case "$file $name $count" in
      *' max 0' | *' oom_kill 0') ;;
      *pids.events' max '* | *' oom_kill '*) hit=yes ;;
    esac
  done <"$file"
done
while [ -n "$hit" ] && [ "$stagerd_start" = input ]; do :; done
[ -z "$hit" ] || read -r _
exit "$status"`

export interface ProgramStart {
  /** Of a keepable container: see end-marks.ts. */
  readonly mark: string | undefined
  /** Whether the rest of standard input belongs to the program. */
  readonly input: boolean
  /** Whether it alone gets SIGTERM. */
  readonly alone?: boolean
  /** Those that the container was not created with. */
  readonly variables: Readonly<Record<string, string>>
}

/** Written to the standard input of the container to start the program. */
export function startLines({ mark, input, alone = false, variables }: ProgramStart): string {
  const kind = mark !== undefined ? 'keep' : input ? 'input' : alone ? 'alone' : 'run'
  const lines = Object.entries(variables).map(([name, value]) => variableLine(`${name}=${value}`))
  return [`${kind} ${mark ?? '-'} ${lines.length}`, ...lines].map((line) => `${line}\n`).join('')
}

/** Printable ASCII goes as it is. */
function variableLine(variable: string): string {
  if (/^[ -~]*$/.test(variable)) return variable
  const bytes = [...Buffer.from(variable)].map((byte) => {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c
    return isPlain ? String.fromCharCode(byte) : `\\0${byte.toString(8).padStart(3, '0')}`
  })
  return `=${bytes.join('')}`
}

/** The argument vector of process 1, which starts `program`. */
export function initCommand(program: readonly string[]): string[] {
  return ['/bin/sh', '-c', INIT, 'stagerd', ...program]
}
