# shellcheck shell=bash
# A ready package in the background, with one port of it on this host's loopback address.
# shellcheck source=say.sh
source "${root:?}/scripts/lib/say.sh"

run_pid=''
run_log=''
run_url=''

# start_package NAME CONTAINER_PORT: returns once it answers HTTP; sets run_url.
start_package() {
  local name=$1 port=$2 deadline=$((SECONDS + 60))
  run_log=$(mktemp)
  show "stagectl run $name --publish $port &"
  "$root/bin/stagectl" run "$name" --publish "$port" >"$run_log" 2>&1 </dev/null &
  run_pid=$!
  run_url=''
  until [[ -n $run_url ]] && curl --silent --max-time 2 --output /dev/null "$run_url"; do
    if ! kill -0 "$run_pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 20 "$run_log" >&2
      die "package $name does not answer."
    fi
    sleep 0.1
    run_url=$(sed -n 's#.*\(http://127\.0\.0\.1:[0-9]*\).*#\1#p' "$run_log" | head -n 1)
  done
}

# expect_text PATH TEXT [CURL OPTION...]: what the running package answers must hold TEXT.
expect_text() {
  local path=$1 text=$2 answer
  shift 2
  show "curl $run_url$path $*"
  answer=$(curl --silent --show-error --fail --max-time 10 "$@" "$run_url$path") || die "$run_url$path does not answer."
  [[ $answer == *"$text"* ]] || die "$run_url$path answers '$answer', without '$text'."
  note "$(grep -F -m 1 -- "$text" <<<"$answer" | sed 's/^ *//')"
}

stop_package() {
  [[ -n $run_pid ]] || return 0
  # It ends with the exit code of a program that was interrupted: that is as it should be.
  kill -INT "$run_pid" 2>/dev/null || true
  wait "$run_pid" 2>/dev/null || true
  rm -f "$run_log"
  run_pid=''
}
