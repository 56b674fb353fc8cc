# shellcheck shell=bash
# This checkout and another commit of it, measured in turn.
#
# Each side is measured by its own ./scripts/bench in a directory of its own. That command and its JSON are all that two
# commits must have in common: files, classes and the set-up may differ.
#
# The caller sets `root`, and defines `only_resolve NAME...`.
# shellcheck source=host.sh
source "${root:?}/scripts/lib/host.sh"

against_rounds=5
against_pairs=4
# Two runs of one commit differ by some percent.
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
    # Neither side always comes after the other.
    if ((round % 2)); then order=(this other); else order=(other this); fi
    for side in "${order[@]}"; do
      heading "Round $round of $rounds: $(side_name "$side")"
      run_side "$side" "$round"
    done
    results+=("$against_work/this-$round.json" "$against_work/other-$round.json")
  done

  heading "This checkout beside $against_label, rounds: $rounds"
  node --enable-source-maps "$against_work/this/dist/scripts/bench.d/compare-commits.js" "${results[@]}" \
    --beside "$against_label" --allowance "$against_allowance" ${json:+--json "$json"}
}

side_name() {
  if [[ $1 == this ]]; then echo 'this checkout'; else echo "$against_label"; fi
}

# find_commit REVISION: sets against_commit, and against_label, by which people recognise it.
find_commit() {
  local short
  command -v git >/dev/null || die '--against needs git: install it.'
  git -C "$root" rev-parse --git-dir >/dev/null || die "--against needs a git checkout, and $root is none."
  against_commit=$(git -C "$root" rev-parse --verify --quiet --end-of-options "$1^{commit}") ||
    die "there is no commit '$1' in this checkout: choose one that 'git log --all' shows."
  git -C "$root" cat-file -e "$against_commit:scripts/bench" 2>/dev/null ||
    die "commit '$1' has no scripts/bench: choose a later one."
  short=$(git -C "$root" rev-parse --short "$against_commit")
  against_label="$1 ($short)"
  if [[ $against_commit == "$1"* ]]; then against_label=$short; fi
  if [[ -n $(git -C "$root" status --porcelain) ]]; then
    note 'this checkout has uncommitted changes: they are measured too.'
  fi
}

# What one of the two would otherwise do while it is measured, or do for both.
prepare_for_both() {
  require_node
  if only_resolve "${against_names[@]}"; then
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
  # A file that is deleted and not yet committed is still listed.
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

# share_dependencies TREE: hard links of what is installed here, where TREE asks for the same. Compiling takes minutes.
share_dependencies() {
  if ! cmp --silent "$root/package-lock.json" "$1/package-lock.json"; then
    note "$(side_name "${1##*/}") has other npm dependencies: its first run installs them."
    return
  fi
  if ! cp --archive --link "$root/node_modules" "$1/" 2>/dev/null; then
    # Another file system.
    rm -rf "$1/node_modules"
    cp --archive "$root/node_modules" "$1/"
  fi
  # A lock file that is newer than what is installed would be installed again.
  touch --reference="$1/node_modules/.package-lock.json" "$1/package-lock.json"
}

# run_side SIDE ROUND: in a session of its own, so that an interrupt reaches it once, from stop_measuring.
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
    die "the benchmark of $(side_name "$side") ended with exit code $exit_code; above are its last lines."
  fi
}

# Steps, without their results: one run alone says little.
show_progress() {
  sed --unbuffered --quiet -e '/^==> Measuring /d' -e 's/^==> \(.*\) ([0-9]* s)$/    \1/p' \
    -e 's/^Measuring /    Measuring /p' -e '/^    installing /p' -e 's/^images\/build: /    /p'
}

stop_measuring() {
  local exit_code=$? side
  trap - EXIT INT TERM
  if [[ -n $against_run ]]; then
    note 'stopping the benchmark that runs'
    # It has no session of its own yet in its first moments.
    kill -TERM -- "-$against_run" 2>/dev/null || kill -TERM "$against_run" 2>/dev/null || true
    wait "$against_run" || true
  fi
  if [[ -n $against_work ]]; then
    if [[ -n $against_engine ]]; then
      for side in this other; do
        # What a run could not remove itself bears the mark of its directory.
        node "$root/scripts/lib/remove-leftovers.js" "$against_work/$side" || exit_code=1
      done
    fi
    rm -rf --one-file-system "$against_work" || exit_code=1
  fi
  stop_engine
  exit "$exit_code"
}
