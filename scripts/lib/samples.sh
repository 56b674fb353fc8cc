# shellcheck shell=bash
# Stage, run and ask the sample applications of examples/apps/samples.txt.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"
# shellcheck source=running-package.sh
source "${root:?}/scripts/lib/running-package.sh"

# A file with a line for each sample that answers. The caller creates it.
results=''

# The lines of a sample, or of all: NAME PIPELINE KEY TEXT.
sample_lines() {
  awk -v name="${1-}" '!/^#/ && NF && (name == "" || $1 == name)' "$root/examples/apps/samples.txt"
}

# sample_names [PIPELINE]
sample_names() {
  sample_lines | awk -v pipeline="${1-}" '(pipeline == "" || $2 == pipeline) && !seen[$1]++ { print $1 }'
}

pipeline_of() {
  sample_lines "$1" | awk 'NR == 1 { print $2 }'
}

needs_egress() {
  sample_lines "$1" | awk '$3 == "egress" { found = 1 } END { exit !found }'
}

# Whether the stager of a pipeline has egress, where this script has set it.
declare -A egress_of=()

# set_egress SAMPLE: gives the stager of its pipeline egress, or takes it.
set_egress() {
  local pipeline wanted=no
  pipeline=$(pipeline_of "$1")
  if needs_egress "$1"; then wanted=yes; fi
  [[ ${egress_of[$pipeline]-} != "$wanted" ]] || return 0
  change_egress "$pipeline" "$wanted"
}

# As `stagectl bootstrap` has made them.
restore_egress() {
  local pipeline
  for pipeline in "${!egress_of[@]}"; do
    if [[ ${egress_of[$pipeline]} == no ]]; then change_egress "$pipeline" yes; fi
  done
}

change_egress() {
  local option=--allow-egress
  if [[ $2 == no ]]; then option=--no-allow-egress; fi
  egress_of[$1]=$2
  show_command "stagectl stager update /apcera::$1 $option"
  "$root/bin/stagectl" stager update "/apcera::$1" "$option" >/dev/null
}

# try_sample SAMPLE: stages it on a node that has no package of its name, asks the result, and runs its tests. Adds a line
# to $results.
try_sample() {
  local sample=$1 pipeline began log staged key text
  pipeline=$(pipeline_of "$sample")
  if "$root/bin/stagectl" package show "$sample" >/dev/null 2>&1; then
    "$root/bin/stagectl" package delete "$sample" --batch >/dev/null
  fi

  began=${EPOCHREALTIME/./} log=$(mktemp)
  show_command "stagectl stage examples/apps/$sample"
  "$root/bin/stagectl" stage "examples/apps/$sample" 2>&1 | tee "$log"
  staged=$((${EPOCHREALTIME/./} - began))
  grep -qF "The pipeline is stagpipe::/apcera::$pipeline, because " "$log" || die "the pipeline of $sample is not $pipeline."
  rm "$log"

  start_package "$sample" 8080
  while read -r _ _ key text; do
    case $key in
      /*) ask "$key" "$text" ;;
      test | absent | egress) ;;
      *) die "$sample has the key '$key': see the top of examples/apps/samples.txt." ;;
    esac
  done < <(sample_lines "$sample")
  stop_package
  while read -r _ _ key text; do
    case $key in
      test) run_tests "$sample" "$text" ;;
      absent) ask_for_absent "$sample" "${text%% *}" "${text#* }" ;;
    esac
  done < <(sample_lines "$sample")
  remember "$sample" "$pipeline" "$staged"
}

# ask PATH TEXT
# shellcheck disable=SC2154 # running-package.sh sets run_url
ask() {
  local path=$1 text=$2
  if [[ $text != '!'* ]]; then
    expect_text "$path" "$text"
  elif curl --silent --fail --max-time 10 --output /dev/null "$run_url$path"; then
    die "$run_url$path is served: ${text#!}."
  fi
}

# run_tests SAMPLE COMMAND
run_tests() {
  show_command "stagectl run $1 --command '$2'"
  "$root/bin/stagectl" run "$1" --command "$2" </dev/null || die "the tests of $1 fail."
}

# ask_for_absent SAMPLE CAPABILITY FILE-AND-TEXT: a copy whose FILE has this text asks for a version that is not there.
ask_for_absent() {
  local copy log
  copy=$(mktemp -d)/$1-absent log=$(mktemp)
  cp -r "examples/apps/$1" "$copy"
  printf '%b\n' "${3#* }" >"$copy/${3%% *}"
  show_command "stagectl stage $1-absent, with ${3#* } in ${3%% *}"
  if "$root/bin/stagectl" stage "$copy" --name "$1-absent" >"$log" 2>&1 </dev/null; then die "$2 is there, although it must not be."; fi
  grep -E -m 1 "asks for .*, and there is " "$log" || {
    tail -n 20 "$log" >&2
    die "the output does not say which versions there are instead of $2."
  }
  "$root/bin/stagectl" package delete "$1-absent" --batch >/dev/null
  rm -r "$log" "${copy%/*}"
}

# remember SAMPLE PIPELINE MICROSECONDS
remember() {
  local egress=no checks
  if needs_egress "$1"; then egress=yes; fi
  checks=$(sample_lines "$1" | awk '$3 ~ "^/" { paths++ } $3 == "test" { tests = ", tests pass" }
    $3 == "absent" { absent = ", " $4 " is absent" } END { print paths (paths == 1 ? " path" : " paths") tests absent }')
  printf '%-16s %-12s %6d.%d s   %-7s %s\n' "$1" "$2" $(($3 / 1000000)) $(($3 / 100000 % 10)) "$egress" "$checks" >>"$results"
}

print_results() {
  printf '%-16s %-12s %10s   %-7s %s\n' SAMPLE PIPELINE STAGED EGRESS ANSWERS
  cat "$results"
}
