# shellcheck shell=bash
# Measure this checkout and another commit alternately.
#
# Each side runs its own ./scripts/bench in a directory of its own. The two commits only need the same command line and
# JSON format: files, classes and set-up may differ.
#
# The caller sets `root`, and defines `without_engine NAME...`.
# shellcheck source=host.sh
source "${root:?}/scripts/lib/host.sh"

against_rounds=5
against_pairs=4
# Two runs of the same commit differ by several percent.
against_allowance=1.10

against_names=()
against_commit=''
against_label=''
against_work=''
against_engine=''
against_run=''

# measure_against REVISION JSON_FILE NAME...: JSON_FILE may be empty.
measure_against() {
  local json=$2 rounds=${BENCH_ROUNDS:-$against_rounds} round side order results=()
  find_commit "$1"
  against_names=("${@:3}")
  trap stop_measuring EXIT
  trap 'exit 130' INT TERM

  heading 'Preparing the host'
  prepare_for_both
  heading "Copying this checkout and $against_label"
  copy_both

  for ((round = 1; round <= rounds; round++)); do
    # Alternate which side runs first.
    if ((round % 2)); then order=(this other); else order=(other this); fi
    for side in "${order[@]}"; do
      heading "Round $round of $rounds: $(side_name "$side")"
      run_side "$side" "$round"
    done
    results+=("$against_work/this-$round.json" "$against_work/other-$round.json")
  done

  heading "This checkout compared with $against_label, rounds: $rounds"
  node --enable-source-maps "$against_work/this/dist/scripts/bench.d/compare-commits.js" "${results[@]}" \
    --beside "$against_label" --allowance "$against_allowance" ${json:+--json "$json"}
}

side_name() {
  if [[ $1 == this ]]; then echo 'this checkout'; else echo "$against_label"; fi
}

# find_commit REVISION: sets against_commit and against_label, its readable name.
find_commit() {
  local short
  command -v git >/dev/null || die '--against needs git: install it.'
  git -C "$root" rev-parse --git-dir >/dev/null || die "--against needs a git checkout, but $root is not one."
  against_commit=$(git -C "$root" rev-parse --verify --quiet --end-of-options "$1^{commit}") ||
    die "there is no commit '$1' in this checkout: choose one of 'git log --all'."
  git -C "$root" cat-file -e "$against_commit:scripts/bench" 2>/dev/null ||
    die "commit '$1' has no scripts/bench: choose a later one."
  short=$(git -C "$root" rev-parse --short "$against_commit")
  against_label="$1 ($short)"
  if [[ $against_commit == "$1"* ]]; then against_label=$short; fi
  if [[ -n $(git -C "$root" status --porcelain) ]]; then
    note 'this checkout has uncommitted changes, which are measured too'
  fi
}

# Prepares the host once, so that neither side does it during its measurement.
prepare_for_both() {
  require_node
  if without_engine "${against_names[@]}"; then
    ensure_dependencies
    return
  fi
  require_root
  ensure_recipe_programs
  ensure_dependencies
  ensure_engine
  against_engine=1
}

copy_both() {
  local side recipe tarball
  against_work=$(mktemp -d /var/tmp/stagerd-against.XXXXXX)
  mkdir "$against_work/this" "$against_work/other"
  # git also lists deleted files whose deletion is not committed.
  (cd "$root" && git ls-files -z --cached --others --exclude-standard |
    tar --create --null --files-from=- --ignore-failed-read --warning=no-failed-read) |
    tar --extract --directory "$against_work/this"
  git -C "$root" archive "$against_commit" | tar --extract --directory "$against_work/other"
  for side in this other; do share_dependencies "$against_work/$side"; done
  [[ -n $against_engine ]] || return 0
  for recipe in busybox debian-12; do
    tarball=$("$root/images/build" "$recipe")
    for side in this other; do
      mkdir -p "$against_work/$side/.cache/images"
      cp --reflink=auto "$tarball" "$against_work/$side/.cache/images/"
    done
  done
}

# share_dependencies TREE: hard-links node_modules if TREE has the same lock file, because compiling takes minutes.
share_dependencies() {
  if ! cmp --silent "$root/package-lock.json" "$1/package-lock.json"; then
    note "$(side_name "${1##*/}") has different npm dependencies, which its first run installs"
    return
  fi
  if ! cp --archive --link "$root/node_modules" "$1/" 2>/dev/null; then
    # Hard links fail across filesystems.
    rm -rf "$1/node_modules"
    cp --archive "$root/node_modules" "$1/"
  fi
  # ensure_dependencies installs again when the lock file is newer than the installation.
  touch --reference="$1/node_modules/.package-lock.json" "$1/package-lock.json"
}

# run_side SIDE ROUND: runs in a session of its own, so that it gets an interrupt only from stop_measuring.
run_side() {
  local side=$1 result=$against_work/$1-$2.json log=$against_work/$1-$2.log exit_code=0 progress
  : >"$log"
  env --unset=STAGERD_IMAGE_CACHE STAGERD_ENGINE_IN_USE=1 BENCH_PAIRS="${BENCH_PAIRS:-$against_pairs}" \
    setsid "$against_work/$side/scripts/bench" "${against_names[@]}" --json "$result" >"$log" 2>&1 </dev/null &
  against_run=$!
  tail --lines=+1 --follow --pid="$against_run" "$log" | show_progress &
  progress=$!
  wait "$against_run" || exit_code=$?
  against_run=''
  wait "$progress"
  if ((exit_code != 0)); then
    tail -n 30 "$log" >&2
    die "the benchmark of $(side_name "$side") failed with exit code $exit_code; see its last lines above."
  fi
}

# Prints the steps without the results, because one run alone is not significant.
show_progress() {
  sed --unbuffered --quiet -e '/^==> Measuring /d' -e 's/^==> \(.*\) ([0-9]* s)$/    \1/p' \
    -e 's/^Measuring /    Measuring /p' -e '/^    installing /p' -e 's/^images\/build: /    /p'
}

stop_measuring() {
  local exit_code=$? side
  trap - EXIT INT TERM
  if [[ -n $against_run ]]; then
    note 'stopping the running benchmark'
    # Right after its start, the process has not yet created its session.
    kill -TERM -- "-$against_run" 2>/dev/null || kill -TERM "$against_run" 2>/dev/null || true
    wait "$against_run" || true
  fi
  if [[ -n $against_work ]]; then
    if [[ -n $against_engine ]]; then
      for side in this other; do
        # Leftovers of a side carry the label of its directory.
        node "$root/scripts/lib/remove-leftovers.js" "$against_work/$side" || exit_code=1
      done
    fi
    rm -rf --one-file-system "$against_work" || exit_code=1
  fi
  stop_engine
  exit "$exit_code"
}
