# shellcheck shell=bash
# A Docker Engine: the one that answers, else one from the distribution.
# shellcheck source=say.sh
source "${root:?}/scripts/lib/say.sh"
# shellcheck source=packages.sh
source "${root:?}/scripts/lib/packages.sh"

# Where a dockerd that we started ourselves keeps its process id and its log; in /run, so gone with the boot.
engine_dir=/run/stagerd-engine-$(printf %s "$root" | sha256sum | cut -c1-8)

engine_answers() {
  node "$root/scripts/lib/engine-ping.js" "$@"
}

# ensure_engine: errors end the script. What it starts, `stop_engine` stops.
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
    # The package's own start script may just have started it; it did not.
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

# Where process 1 reaps no orphans, the remains of a daemon that was killed look to dockerd like one that runs: it would
# wait for such a containerd in vain, and not start beside such a dockerd.
forget_dead() {
  local file=$1 pid
  pid=$(cat "$file" 2>/dev/null) || return 0
  if [[ $(cut -d ' ' -f 3 "/proc/$pid/stat" 2>/dev/null) == Z ]]; then rm -f "$file"; fi
}

start_dockerd() {
  mkdir -p "$engine_dir"
  forget_dead "$engine_dir/dockerd.pid"
  forget_dead /run/docker/containerd/containerd.pid
  if ! grep -q ' cgroup2\? ' /proc/mounts; then
    # Without systemd nobody has mounted the control groups that limits are made of.
    note 'mounting control groups'
    has_command cgroupfs-mount || apt_install cgroupfs-mount
    cgroupfs-mount
  fi
  note "starting dockerd (log: $engine_dir/dockerd.log)"
  # A session of its own, so that an interrupt of this script leaves it to `stop_engine`.
  PATH=$PATH:/usr/sbin:/sbin setsid dockerd --pidfile "$engine_dir/dockerd.pid" \
    >"$engine_dir/dockerd.log" 2>&1 </dev/null &
  local pid=$! deadline=$((SECONDS + 60))
  until engine_answers; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 15 "$engine_dir/dockerd.log" >&2
      die "dockerd did not start; its log is $engine_dir/dockerd.log."
    fi
    sleep 0.2
  done
}

# stop_engine: stop the dockerd of ours, be it from this run or from one that was killed. An outer script that started
# it keeps it until its own end.
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
