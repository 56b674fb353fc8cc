# shellcheck shell=bash
# Remove the leftovers of an interrupted benchmark, and the root images of its node.

# remove_bench_leftovers WORK: expects that the daemon has stopped. Fails when something cannot be removed.
remove_bench_leftovers() {
  local failed=0
  stop_bench_nginx "$1/nginx/pid" || failed=1
  unmount_below "$1" || failed=1
  remove_bench_containers "$1" || failed=1
  node "${root:?}/scripts/lib/remove-root-images.js" "$1/state" || failed=1
  return "$failed"
}

# nginx runs in a session of its own, so Ctrl-C does not reach it.
stop_bench_nginx() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  kill -TERM "$pid" 2>/dev/null || return 0
  for ((i = 0; i < 100; i++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  echo "nginx does not stop (PID $pid)" >&2
  return 1
}

# Unmounts the storage of buildah, latest mount first.
unmount_below() {
  local target
  while read -r target; do
    umount "$target" || return
  done < <(awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac)
}

# Removes what the docker client has created, in this order, because containers use networks and images.
remove_bench_containers() {
  local filter=label=io.stagerd.bench=$1
  docker container ls --all --quiet --filter "$filter" | xargs --no-run-if-empty docker container rm --force >/dev/null &&
    docker network ls --quiet --filter "$filter" | xargs --no-run-if-empty docker network rm >/dev/null &&
    docker image ls --quiet --filter "$filter" | xargs --no-run-if-empty docker image rm --force >/dev/null
}
