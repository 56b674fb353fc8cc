# shellcheck shell=bash
# Run named checks and the tests of vitest, and count both.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

passed=0
failed=0
failures=()

# check NAME COMMAND...: a check passes when COMMAND exits with 0.
check() {
  local name=$1 began=$SECONDS
  shift
  heading "$name"
  if "$@"; then
    passed=$((passed + 1))
    note "passed in $((SECONDS - began)) s"
  else
    failed=$((failed + 1))
    failures+=("$name")
    note "FAILED after $((SECONDS - began)) s"
  fi
}

# vitest_project PROJECT: counts each test. A file that fails to load and an error outside of all tests count as failed
# tests. A skipped test counts as failed, too.
vitest_project() {
  local project=$1 report result counts exit_code=0
  heading "Tests: $project"
  report=$(mktemp)
  (cd "$root" && npx --no-install vitest run --project "$project" \
    --reporter=default --reporter=json --outputFile.json="$report") || exit_code=$?
  result=$(node "$root/scripts/lib/read-test-report.js" "$report" "$exit_code")
  rm -f "$report"
  counts=${result%%$'\n'*}
  note "$project: ${counts% *} passed, ${counts#* } failed"
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  if ((${counts#* } > 0)); then failures+=("tests of project $project"$'\n'"${result#*$'\n'}"); fi
}

# Prints the failures again at the end, where people look first, and then the line that programs read. Returns 1 when
# anything failed.
summary() {
  local name
  for name in "${failures[@]}"; do printf 'failed: %s\n' "$name"; done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}
