# shellcheck shell=bash
# Run named checks and the tests of vitest, and count both.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

passed=0
failed=0
failures=()
parts=()

# The checks of what stagerd promises, one a line: `PROMISE held`, or `PROMISE broken WHAT`. The tests append to this file
# (test/hostile/support/promises.ts), and `summary` counts its lines. Empty: it counts nothing.
figures=''
all_promises=''

# keep_figures [all]: `summary` counts the checks of promises. With `all`, a promise without a check is a failure.
keep_figures() {
  figures=$(mktemp)
  all_promises=${1:-}
  export STAGERD_TEST_FIGURES=$figures
}

# record_promise PROMISE WHAT [BREACH]
record_promise() {
  if [[ -z ${3:-} ]]; then echo "$1 held"; else echo "$1 broken $2: ${3//$'\n'/; }"; fi >>"$figures"
}

# check NAME COMMAND...: a check passes when COMMAND exits with 0.
check() {
  local name=$1 began=$SECONDS exit_code=0
  shift
  heading "$name"
  "$@" || exit_code=$?
  count_check "$name" "$exit_code" $((SECONDS - began))
}

# count_check NAME EXIT_CODE SECONDS
count_check() {
  if (($2 == 0)); then
    passed=$((passed + 1))
    note "passed in $3 s"
  else
    failed=$((failed + 1))
    failures+=("$1")
    note "FAILED after $3 s"
  fi
}

background_names=()
background_pids=()
background_dir=''

# background_check NAME COMMAND...: like `check`, but returns as soon as COMMAND runs. As many run at once as there are
# processors. `await_checks` waits for all of them; the output of each is printed in one piece, after its end.
background_check() {
  local index=${#background_names[@]}
  [[ -n $background_dir ]] || background_dir=$(mktemp -d)
  while ((${#background_pids[@]} >= $(nproc))); do await_check; done
  background_names+=("$1")
  shift
  # In a process group of its own, so that `stop_checks` also ends the children of COMMAND.
  set -m
  time_check "$background_dir/$index" "$@" </dev/null &
  background_pids[index]=$!
  set +m
}

# time_check FILE COMMAND...: FILE.result appears, with the exit code and the seconds, when the output is complete.
time_check() {
  local file=$1 began=$SECONDS exit_code=0
  shift
  "$@" >"$file.output" 2>&1 || exit_code=$?
  echo "$exit_code $((SECONDS - began))" >"$file.new"
  mv "$file.new" "$file.result"
}

# Waits for the end of a check, and prints those that have ended.
await_check() {
  local index exit_code seconds
  wait -n "${background_pids[@]}" || true
  for index in "${!background_pids[@]}"; do
    if [[ ! -e $background_dir/$index.result ]] && kill -0 "${background_pids[index]}" 2>/dev/null; then continue; fi
    wait "${background_pids[index]}" 2>/dev/null || true
    # A killed check has no result.
    exit_code=1 seconds=0
    if [[ -e $background_dir/$index.result ]]; then read -r exit_code seconds <"$background_dir/$index.result"; fi
    unset "background_pids[$index]"
    heading "${background_names[index]}"
    cat "$background_dir/$index.output"
    count_check "${background_names[index]}" "$exit_code" "$seconds"
  done
}

# await_check_of NAME: waits for the end of this one.
await_check_of() {
  local index
  for index in "${!background_names[@]}"; do
    if [[ ${background_names[index]} != "$1" ]]; then continue; fi
    while [[ -n ${background_pids[index]:-} ]]; do await_check; done
  done
}

await_checks() {
  while ((${#background_pids[@]} > 0)); do await_check; done
}

# Ends checks that are still running when the script ends early, and waits: the demo stops its daemon.
stop_checks() {
  local pid tenths
  for pid in "${background_pids[@]}"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
  for pid in "${background_pids[@]}"; do
    wait "$pid" 2>/dev/null || true
    for ((tenths = 0; tenths < 600; tenths++)); do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
  if [[ -n $background_dir ]]; then rm -rf "$background_dir"; fi
  if [[ -n $figures ]]; then rm -f "$figures"; fi
}

# part NAME COMMAND...: `summary` prints how long it took.
part() {
  local name=$1 began=$SECONDS
  shift
  "$@"
  parts+=("$name $((SECONDS - began))")
}

# vitest_project PROJECT [FILE...]: counts each test. A file that fails to load and an error outside of all tests count as
# failed tests. A skipped test counts as failed, too.
vitest_project() {
  local project=$1 report result counts exit_code=0
  shift
  heading "Tests: $project"
  report=$(mktemp)
  (cd "$root" && npx --no-install vitest run --project "$project" \
    --reporter=default --reporter=json --outputFile.json="$report" "$@") || exit_code=$?
  result=$(node "$root/scripts/lib/read-test-report.js" "$report" "$exit_code")
  rm -f "$report"
  counts=${result%%$'\n'*}
  note "$project: ${counts% *} passed, ${counts#* } failed"
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  if ((${counts#* } > 0)); then failures+=("tests of project $project"$'\n'"${result#*$'\n'}"); fi
}

# promise_lines PROMISE [broken]: how many checks it had, or how many found it broken.
promise_lines() {
  grep -c "^$1 ${2:-}" "$figures" || true
}

# A breach is a failure, also of a test that has gone on.
count_promises() {
  local promise breach
  for promise in escape loss leftover; do
    while IFS= read -r breach; do failures+=("$promise ${breach#"$promise broken "}"); done < <(grep "^$promise broken" "$figures")
    if (($(promise_lines "$promise" broken) > 0 && failed == 0)); then failed=1; fi
    if [[ $all_promises == all ]] && (($(promise_lines "$promise") == 0)); then
      failed=$((failed + 1))
      failures+=("no check of the promise: $promise")
    fi
  done
}

# show_promise WORD PROMISE
show_promise() {
  printf '%s %d of %d\n' "$1" "$(promise_lines "$2" broken)" "$(promise_lines "$2")"
}

# Prints the failures again at the end, where people look first, how long each part took, how often each promise was checked
# and broken, and then the line that programs read. Returns 1 when anything failed.
summary() {
  local name
  if [[ -n $figures ]]; then count_promises; fi
  for name in "${failures[@]}"; do printf 'failed: %s\n' "$name"; done
  printf 'seconds: %s in all' "$SECONDS"
  if ((${#parts[@]} > 0)); then printf ', %s' "${parts[@]}"; fi
  printf '\n'
  if [[ -n $figures ]]; then
    show_promise escapes escape
    show_promise lost loss
    show_promise left leftover
  fi
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}
