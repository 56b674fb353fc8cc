# shellcheck shell=bash
# Start a private stagerd for a script, with its own state directory and socket.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

daemon_pid=''
daemon_log=''
daemon_run=''

# start_daemon STATE_DIR [FLAG...]: returns when the daemon answers. Sets STAGERD_SOCKET for stagectl.
start_daemon() {
  local state=$1 deadline bundle
  shift
  mkdir -p "$state"
  # A socket path may have at most 107 bytes, so the socket is not below the checkout.
  daemon_run=$(mktemp -d /tmp/stagerd-run.XXXXXX)
  daemon_log=$state.log
  export STAGERD_SOCKET=$daemon_run/stagerd.sock
  # Isolates stagectl from the settings of the user, and from what it knows of earlier uploads.
  export XDG_CONFIG_HOME=$daemon_run XDG_CACHE_HOME=$daemon_run
  : >"$daemon_run/stagerd.toml"
  bundle=$(ca_bundle)
  if [[ -n $bundle ]]; then printf 'ca-bundle = "%s"\n' "$bundle" >"$daemon_run/stagerd.toml"; fi

  "$root/bin/stagerd" --config "$daemon_run/stagerd.toml" --state-dir "$state" --socket "$STAGERD_SOCKET" "$@" \
    >"$daemon_log" 2>&1 </dev/null &
  daemon_pid=$!
  deadline=$((SECONDS + 60))
  until "$root/bin/stagectl" node status >/dev/null 2>&1; do
    if ! kill -0 "$daemon_pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 20 "$daemon_log" >&2
      die "stagerd did not start: see its log, $daemon_log."
    fi
    sleep 0.1
  done
}

# Prints the path of the bundle with additional certificate authorities of this host, if there is one.
ca_bundle() {
  local file
  for file in "${NODE_EXTRA_CA_CERTS:-}" "${SSL_CERT_FILE:-}"; do
    if [[ -n $file && -r $file ]]; then
      readlink -f "$file"
      return
    fi
  done
}

# stop_daemon: fails when the daemon had already ended, fails itself, or must be killed. Its state directory stays.
stop_daemon() {
  local exit_code=0
  if [[ -n $daemon_pid ]]; then
    kill -TERM "$daemon_pid" 2>/dev/null || true
    for ((i = 0; i < 300; i++)); do
      kill -0 "$daemon_pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$daemon_pid" 2>/dev/null || true
    wait "$daemon_pid" || exit_code=$?
    if ((exit_code != 0)); then echo "stagerd ended with exit code $exit_code: see its log, $daemon_log" >&2; fi
  fi
  daemon_pid=''
  if [[ -n $daemon_run ]]; then rm -rf "$daemon_run"; fi
  return "$exit_code"
}
