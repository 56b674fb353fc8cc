# shellcheck shell=bash
# A private stagerd for one script, with its own state directory and socket.
# shellcheck source=say.sh
source "${root:?}/scripts/lib/say.sh"

daemon_pid=''
daemon_log=''
daemon_run=''

# start_daemon STATE_DIR [FLAG...]: returns once it answers. Sets STAGERD_SOCKET for stagectl.
start_daemon() {
  local state=$1 deadline bundle
  shift
  mkdir -p "$state"
  # The path of a socket is limited to some hundred bytes, and that of a checkout is not: so it is elsewhere.
  daemon_run=$(mktemp -d /tmp/stagerd-run.XXXXXX)
  daemon_log=$state.log
  export STAGERD_SOCKET=$daemon_run/stagerd.sock
  # What the user has set for stagectl elsewhere is none of ours, and the other way round.
  export XDG_CONFIG_HOME=$daemon_run
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
      die "stagerd did not start; its log is $daemon_log."
    fi
    sleep 0.1
  done
}

# The certificate authorities that this host was told to trust beside the usual ones, if it was.
ca_bundle() {
  local file
  for file in "${NODE_EXTRA_CA_CERTS:-}" "${SSL_CERT_FILE:-}"; do
    if [[ -n $file && -r $file ]]; then
      readlink -f "$file"
      return
    fi
  done
}

# stop_daemon: what it has made goes with it; what lasts is in its state directory. Fails when it was gone already, ended
# with an error, or had to be killed.
stop_daemon() {
  local clean=0
  if [[ -n $daemon_pid ]]; then
    kill -TERM "$daemon_pid" 2>/dev/null || true
    for ((i = 0; i < 300; i++)); do
      kill -0 "$daemon_pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$daemon_pid" 2>/dev/null || true
    wait "$daemon_pid" || clean=$?
    if ((clean != 0)); then echo "stagerd ended with exit code $clean; its log is $daemon_log" >&2; fi
  fi
  daemon_pid=''
  if [[ -n $daemon_run ]]; then rm -rf "$daemon_run"; fi
  return "$clean"
}
