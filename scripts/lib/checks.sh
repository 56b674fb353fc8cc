# shellcheck shell=bash
# Run named checks and the tests of vitest, and count both.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

passed=0
failed=0
failures=()
parts=()

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

# Prints the failures again at the end, where people look first, how long each part took, and then the line that programs
# read. Returns 1 when anything failed.
summary() {
  local name
  for name in "${failures[@]}"; do printf 'failed: %s\n' "$name"; done
  printf 'seconds: %s in all' "$SECONDS"
  if ((${#parts[@]} > 0)); then printf ', %s' "${parts[@]}"; fi
  printf '\n'
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}
