/** Where a droplet is unpacked to run. */
export const DROPLET_HOME = '/home/vcap'

/**
 * The program of a container that runs a droplet, for /bin/sh in DROPLET_HOME. It ends with the exit code of `startup`.
 *
 * - Both logs are files, as the application may expect, and the disk limit counts them. `tail` copies them to the outputs. It
 *   ends when `startup` is gone, after a last look at the file.
 * - SIGTERM is for this script only, which has `stop` end the application, and waits for it. Before its PID is in run.pid,
 *   `startup` gets the signal.
 * - `wait` returns early when a trap runs, so it is called again. It says 127 where it has told the exit code before.
 *
 * @param executable for %VCAP_LOCAL_RUNTIME%; undefined without a runtime
 */
export function runnerScript(executable: string | undefined): string {
  return `fail() { printf 'stagerd: %s\\n' "$1" >&2; exit 127; }
command -v bash >/dev/null || fail 'This operating system has no bash, which starts droplets: choose another one, or add bash to it.'
mkdir -p logs tmp && rm -rf run.pid logs/stdout.log logs/stderr.log && : >logs/stdout.log && : >logs/stderr.log || exit 125
if grep -qF '%VCAP_LOCAL_RUNTIME%' startup; then
  ${replaceToken(executable)}
fi
end() {
  interrupted=yes
  trap 'interrupted=yes' TERM
  if [ -s run.pid ]; then ./stop $(cat run.pid); else kill -TERM "$started" 2>/dev/null; fi
}
./startup </dev/null &
started=$!
trap end TERM
tail -n +1 -s 0.1 --pid="$started" -F logs/stdout.log 2>/dev/null &
out=$!
tail -n +1 -s 0.1 --pid="$started" -F logs/stderr.log >&2 2>/dev/null &
err=$!
status=127
interrupted=yes
while [ -n "$interrupted" ]; do
  interrupted=
  wait "$started"
  code=$?
  [ "$code" = 127 ] || status=$code
done
wait "$out" "$err"
exit "$status"
`
}

function replaceToken(executable: string | undefined): string {
  if (executable === undefined)
    return `fail 'The droplet wants a runtime at %VCAP_LOCAL_RUNTIME%, and has none: choose one with --runtime.'`
  return `command -v ${executable} >/dev/null || fail '%VCAP_LOCAL_RUNTIME% stands for ${executable}, which is not in PATH: choose another runtime with --runtime.'
  sed -i 's|%VCAP_LOCAL_RUNTIME%|${executable}|g' startup || exit 125`
}
