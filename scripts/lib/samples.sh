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

# check_samples: ends the script when the table is wrong. A sample without tests is a mistake, and so is a directory of
# which neither the table nor the demo knows.
check_samples() {
  local mistakes
  mistakes=$(
    sample_lines | awk '
      $3 !~ "^/" && $3 !~ "^(test|breaks|absent|egress|request)$" { print $1 " has the key \047" $3 "\047: see the top of the table." }
      NF < 4 { print $1 " has a line without a text: " $0 }
      $2 != (pipeline[$1] = pipeline[$1] ? pipeline[$1] : $2) { print $1 " has two pipelines: leave one." }
      { counts[$1, $3 ~ "^/" ? "path" : $3]++ }
      END {
        for (name in pipeline) {
          if (!counts[name, "path"]) print name " is asked nothing: add a line with a path and a text."
          if (counts[name, "test"] != 1) print name " must have one line \047test COMMAND\047, which runs its tests."
          if (counts[name, "breaks"] != 1) print name " must have one line \047breaks COMMAND\047, after which its tests fail."
        }
      }' | sort
    while read -r name; do
      [[ -d $root/examples/apps/$name ]] || echo "$name is in the table, and is no directory of examples/apps."
    done < <(sample_names '')
    for name in $(cd "$root/examples/apps" && find . -mindepth 1 -maxdepth 1 -type d -printf '%P\n' | sort); do
      [[ -n $(pipeline_of "$name") ]] || grep -qE "examples/apps/$name( |\$)" "$root/scripts/demo" ||
        echo "$name is in examples/apps, and is no sample: add its lines to the table."
    done
  )
  [[ -z $mistakes ]] || die "examples/apps/samples.txt is wrong:"$'\n'"$mistakes"
}

# sample_names [PIPELINE]
sample_names() {
  sample_lines | awk -v pipeline="${1-}" '(pipeline == "" || $2 == pipeline) && !seen[$1]++ { print $1 }'
}

# requested_samples: those that are staged by requests over NATS, too.
requested_samples() {
  sample_lines | awk '$3 == "request" { print $1 }'
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

# text_of SAMPLE KEY
text_of() {
  sample_lines "$1" | awk -v key="$2" '$3 == key { sub(/^[^ ]+ +[^ ]+ +[^ ]+ +/, ""); print }'
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
    if [[ $key == /* ]]; then ask "$key" "$text"; fi
  done < <(sample_lines "$sample")
  stop_package
  run_tests "$sample" "$(text_of "$sample" test)"
  run_tests_of_broken "$sample" "$(text_of "$sample" breaks)" "$(text_of "$sample" test)"
  text=$(text_of "$sample" absent)
  if [[ -n $text ]]; then ask_for_absent "$sample" "${text%% *}" "${text#* }"; fi
  remember "$sample" "$pipeline" "$staged" "tests pass${text:+, ${text%% *} is absent}"
}

# request_sample SAMPLE: has it staged by a request of Cloud Foundry over NATS, runs the droplet, and asks it. Adds a line
# to $results.
# shellcheck disable=SC2154 # nats.sh sets nats_url
request_sample() {
  local sample=$1 began staged framework runtime droplet key text
  read -r framework runtime <<<"$(text_of "$sample" request)"
  droplet=$(mktemp -d)
  began=${EPOCHREALTIME/./}
  show_command "node scripts/lib/play-controller.js $nats_url examples/apps/$sample droplet.tgz $framework $runtime"
  node "$root/scripts/lib/play-controller.js" "$nats_url" "$root/examples/apps/$sample" "$droplet/droplet.tgz" "$framework" "$runtime"
  staged=$((${EPOCHREALTIME/./} - began))
  start_program "the droplet of $sample" droplet run "$droplet/droplet.tgz" --publish 8080
  while read -r _ _ key text; do
    if [[ $key == /* ]]; then ask "$key" "$text"; fi
  done < <(sample_lines "$sample")
  stop_package
  rm -r "$droplet"
  remember "$sample" "$framework" "$staged" 'as a droplet'
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

# run_tests_of_broken SAMPLE BREAKING COMMAND: a test that cannot fail shows nothing. Each run has its own copy of the result.
run_tests_of_broken() {
  local log
  log=$(mktemp)
  show_command "stagectl run $1 --command '$2', and then its tests"
  "$root/bin/stagectl" run "$1" --command "{ $2; } && if $3; then exit 1; fi" >"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    die "the tests of $1 pass although it is broken, or it cannot be broken by '$2'."
  }
  rm "$log"
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

# remember SAMPLE PIPELINE MICROSECONDS CHECKS: CHECKS are those besides its paths.
remember() {
  local egress=no checks
  if needs_egress "$1"; then egress=yes; fi
  checks=$(sample_lines "$1" | awk -v more="$4" '$3 ~ "^/" { paths++ }
    END { print paths (paths == 1 ? " path, " : " paths, ") more }')
  printf '%-16s %-12s %6d.%d s   %-7s %s\n' "$1" "$2" $(($3 / 1000000)) $(($3 / 100000 % 10)) "$egress" "$checks" >>"$results"
}

print_results() {
  printf '%-16s %-12s %10s   %-7s %s\n' SAMPLE PIPELINE STAGED EGRESS ANSWERS
  cat "$results"
}
