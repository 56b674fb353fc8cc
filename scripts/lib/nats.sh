# shellcheck shell=bash
# Run a private nats-server, from the package of the distribution.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"
# shellcheck source=packages.sh
source "${root:?}/scripts/lib/packages.sh"

nats_pid=''
# shellcheck disable=SC2034 # for the caller
nats_url=''
nats_run=''

# ensure_nats: installs it without its service, which would serve the network.
ensure_nats() {
  has_command nats-server && return
  ensure_commands nats-server=nats-server
  if [[ -d /run/systemd/system ]]; then systemctl disable --now nats-server 2>/dev/null || true; fi
}

# start_nats: returns when it listens, on a port of its own on the loopback address. Sets nats_url.
start_nats() {
  local deadline=$((SECONDS + 30)) ports
  nats_run=$(mktemp -d /tmp/nats-run.XXXXXX)
  nats-server --addr 127.0.0.1 --port -1 --ports_file_dir "$nats_run" --log "$nats_run/log" >/dev/null 2>&1 </dev/null &
  nats_pid=$!
  ports=$nats_run/nats-server_$nats_pid.ports
  until nats_url=$(sed -n 's#.*"\(nats://127\.0\.0\.1:[0-9]*\)".*#\1#p' "$ports" 2>/dev/null) && [[ -n $nats_url ]]; do
    if ! kill -0 "$nats_pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 5 "$nats_run/log" >&2 || true
      die 'nats-server did not start.'
    fi
    sleep 0.1
  done
}

stop_nats() {
  if [[ -n $nats_pid ]]; then
    kill -TERM "$nats_pid" 2>/dev/null || true
    wait "$nats_pid" 2>/dev/null || true
  fi
  nats_pid=''
  if [[ -n $nats_run ]]; then rm -rf "$nats_run"; fi
  nats_run=''
}
