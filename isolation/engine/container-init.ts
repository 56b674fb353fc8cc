/**
 * Process 1 of a container: it lets the program in once the daemon writes a line, and then stands by as its init.
 *
 * - The mounts below /stagerfs can only be made once the container's namespace is there, and the program must never
 *   see them half-made; nor may it be over before its cgroup and its upper directory are found.
 * - The kernel keeps from process 1 every signal that it has no handler for, so a program there could not be ended by
 *   SIGTERM. Here it has this init above it, which passes SIGTERM on to everything, and reaps orphans while it waits.
 * - A shell's `wait` ends early when a trap runs, and is then asked again.
 * - The kernel's counters go with the container, and a program that was refused a fork often ends in the same
 *   millisecond: where a limit was hit, init stays until the daemon has seen it and kills the container. Built-in
 *   commands alone, because there may be no pids left for another process. The files are those of cgroups version 1 and 2.
 */
const INIT = `read -r _ || exit 125
trap 'kill -TERM -1' TERM
/bin/sh -c "$1" </dev/null &
wait "$!"
status=$?
while kill -0 "$!" 2>/dev/null; do wait "$!"; status=$?; done
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
[ -z "$hit" ] || read -r _
exit "$status"`

/** Written to the standard input of the container: the program may begin. */
export const START_PROGRAM = '\n'

/** The argument vector of process 1. */
export function initCommand(command: string): string[] {
  return ['/bin/sh', '-c', INIT, 'stagerd', command]
}
