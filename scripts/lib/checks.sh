# shellcheck shell=bash
# Named checks and the tests of vitest, counted together.
# shellcheck source=say.sh
source "${root:?}/scripts/lib/say.sh"

passed=0
failed=0
failures=()

# check NAME COMMAND...: one check, passed when COMMAND exits with 0.
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

# vitest_project PROJECT: every test of it counts for itself; so does a file that cannot be loaded, and an error that
# belongs to no test. A test that was skipped has shown nothing, and counts as failed.
vitest_project() {
  local project=$1 report verdict counts exit_code=0
  heading "Tests: $project"
  report=$(mktemp)
  (cd "$root" && npx --no-install vitest run --project "$project" \
    --reporter=default --reporter=json --outputFile.json="$report") || exit_code=$?
  verdict=$(node "$root/scripts/lib/read-test-report.js" "$report" "$exit_code")
  rm -f "$report"
  counts=${verdict%%$'\n'*}
  note "$project: ${counts% *} passed, ${counts#* } failed"
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  if ((${counts#* } > 0)); then failures+=("tests of project $project"$'\n'"${verdict#*$'\n'}"); fi
}

# The last words of a run: what failed, said once more where one looks first, and one line that programs read. Exit
# code 1 when anything failed.
summary() {
  local name
  for name in "${failures[@]}"; do printf 'failed: %s\n' "$name"; done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}
