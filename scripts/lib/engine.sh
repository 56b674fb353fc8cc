# shellcheck shell=bash
# Provide a Docker Engine: the running one, or one of the distribution.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"
# shellcheck source=packages.sh
source "${root:?}/scripts/lib/packages.sh"

# Holds the PID file and the log of a dockerd that these scripts have started. /run is empty after a reboot.
engine_dir=/run/stagerd-engine-$(printf %s "$root" | sha256sum | cut -c1-8)

engine_answers() {
  node "$root/scripts/lib/engine-ping.js" "$@"
}

# ensure_engine: starts an Engine if none answers, and exits on errors. `stop_engine` stops it.
ensure_engine() {
  if engine_answers; then return; fi
  [[ -z ${DOCKER_HOST:-} ]] ||
    die "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST ($(engine_answers --explain 2>&1 || true)): start it, or unset DOCKER_HOST."
  if ! has_command dockerd; then
    note 'installing Docker Engine (docker.io)'
    apt_install docker.io iptables
  fi
  if [[ -d /run/systemd/system ]]; then
    note 'starting docker.service'
    systemctl start docker
  elif ! await_engine 3; then
    # Not even the start script of the package has started it within 3 s.
    start_dockerd
  fi
  await_engine 60 || die "Docker Engine does not answer: $(engine_answers --explain 2>&1 || true)"
}

await_engine() {
  local deadline=$((SECONDS + $1))
  until engine_answers; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# remove_stale_pid_file FILE: where PID 1 does not reap orphans, a killed daemon stays a zombie, which dockerd takes for
# a running process: it would wait for such a containerd, and refuse to start beside such a dockerd.
remove_stale_pid_file() {
  local file=$1 pid
  pid=$(cat "$file" 2>/dev/null) || return 0
  if [[ $(cut -d ' ' -f 3 "/proc/$pid/stat" 2>/dev/null) == Z ]]; then rm -f "$file"; fi
}

start_dockerd() {
  mkdir -p "$engine_dir"
  remove_stale_pid_file "$engine_dir/dockerd.pid"
  remove_stale_pid_file /run/docker/containerd/containerd.pid
  if ! grep -q ' cgroup2\? ' /proc/mounts; then
    # Without systemd, the cgroup filesystem may not be mounted.
    note 'mounting the cgroup filesystem'
    has_command cgroupfs-mount || apt_install cgroupfs-mount
    cgroupfs-mount
  fi
  note "starting dockerd (log: $engine_dir/dockerd.log)"
  # A session of its own keeps Ctrl-C from dockerd: `stop_engine` stops it.
  PATH=$PATH:/usr/sbin:/sbin setsid dockerd --pidfile "$engine_dir/dockerd.pid" \
    >"$engine_dir/dockerd.log" 2>&1 </dev/null &
  local pid=$! deadline=$((SECONDS + 60))
  until engine_answers; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 15 "$engine_dir/dockerd.log" >&2
      die "dockerd did not start: see its log, $engine_dir/dockerd.log."
    fi
    sleep 0.2
  done
}

# stop_engine: stops the dockerd that this script, or a killed run of it, has started. Does nothing when an outer script
# uses it (STAGERD_ENGINE_IN_USE).
stop_engine() {
  local pid
  [[ -z ${STAGERD_ENGINE_IN_USE:-} && -e $engine_dir/dockerd.pid ]] || return 0
  pid=$(<"$engine_dir/dockerd.pid")
  if [[ -n $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]; then
    note 'stopping dockerd'
    kill "$pid"
    for ((i = 0; i < 150; i++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.2
    done
  fi
  rm -rf "$engine_dir"
}
