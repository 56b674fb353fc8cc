# shellcheck shell=bash
# Run a ready package in the background, with one of its ports published on the loopback address.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

run_pid=''
run_log=''
run_url=''

# start_package NAME CONTAINER_PORT: returns when the package answers HTTP. Sets run_url.
start_package() {
  start_program "package $1" run "$1" --publish "$2"
}

# start_program WHAT ARGUMENT...: the same for what stagectl runs with these arguments.
start_program() {
  local what=$1 deadline=$((SECONDS + 60))
  shift
  run_log=$(mktemp)
  show_command "stagectl $* &"
  "$root/bin/stagectl" "$@" >"$run_log" 2>&1 </dev/null &
  run_pid=$!
  run_url=''
  until [[ -n $run_url ]] && curl --silent --max-time 2 --output /dev/null "$run_url"; do
    if ! kill -0 "$run_pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 20 "$run_log" >&2
      die "$what does not answer."
    fi
    sleep 0.1
    run_url=$(sed -n 's#.*\(http://127\.0\.0\.1:[0-9]*\).*#\1#p' "$run_log" | head -n 1)
  done
}

# expect_text PATH TEXT [CURL OPTION...]: fails unless the response of the running package contains TEXT.
expect_text() {
  local path=$1 text=$2 response
  shift 2
  show_command "curl $run_url$path $*"
  response=$(curl --silent --show-error --fail --max-time 10 "$@" "$run_url$path") ||
    die "$run_url$path does not answer."
  [[ $response == *"$text"* ]] || die "$run_url$path answers '$response', which does not contain '$text'."
  note "$(grep -F -m 1 -- "$text" <<<"$response" | sed 's/^ *//')"
}

stop_package() {
  [[ -n $run_pid ]] || return 0
  # stagectl exits with the code of an interrupted program, which is expected here.
  kill -INT "$run_pid" 2>/dev/null || true
  wait "$run_pid" 2>/dev/null || true
  rm -f "$run_log"
  run_pid=''
}
