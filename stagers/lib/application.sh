# shellcheck shell=bash
# What the stagers of languages have in common: the runtime that an application asks for, its start command, and the
# result. Source it after stager.sh:
#
#   source "$(dirname "$0")/application.sh"
#
# A package that is staged again has what stagers gave it before, which must not pass for the word of its user. So
# STAGER_ADDED and STAGER_START_COMMAND, two variables of the package, keep what stagers chose.
# shellcheck source=versions.sh
source "$(dirname "${BASH_SOURCE[0]}")/versions.sh"

app=/stagerfs/app
wanted=()
# What stagers of this and earlier stagings added, as read_meta has read it.
STAGER_ADDED=''

# get_application: unpacks the application into $app, readable for the user that it runs as.
get_application() {
  get_data "$app"
  # What this user has unpacked is its own. Only the dependencies of the package may have other files there.
  if [[ $(find "$app" ! -user "$EUID" -print -quit) ]]; then sudo chown -R "$(id -u):$(id -g)" "$app"; fi
  chmod -R u+rwX,go+rX "$app"
  # The client has read them, and nobody else is to.
  rm -f "$app/continuum.conf" "$app/.apcignore"
}

# want CAPABILITY...: dependencies of the result. Relaunches if /stagerfs lacks one.
want() {
  wanted+=("$@")
  want_for_staging "$@"
}

# want_for_staging CAPABILITY...: dependencies that the result does not have, such as compilers.
want_for_staging() {
  mark "$@"
  relaunch_with "$@"
}

# want_in_result CAPABILITY...: dependencies that are not needed while staging, so that nothing is relaunched.
want_in_result() {
  wanted+=("$@")
  mark "$@"
  add_dependencies "$@"
}

# mark CAPABILITY...: these are of the stager, unless the package has them already.
# shellcheck disable=SC2154 # stager.sh sets _stager_dependencies
mark() {
  local capability old kept
  read_meta
  for capability; do
    [[ " ${_stager_dependencies[*]} " != *" $capability "* ]] || continue
    kept=()
    # Two versions at once would hide each other.
    for old in $STAGER_ADDED; do
      if [[ $(stem "$old") == "$(stem "$capability")" ]]; then remove_dependencies "$old"; else kept+=("$old"); fi
    done
    remember_added "${kept[@]}" "$capability"
  done
}

# given CAPABILITY: whether the user gave the package this dependency, or a version of it.
given() {
  local capability
  read_meta
  for capability in "${_stager_dependencies[@]}"; do
    [[ " $STAGER_ADDED " == *" $capability "* || $(stem "$capability") != "$1" ]] || return 0
  done
  return 1
}

# given_any: whether the user gave the package any dependency.
given_any() {
  local capability
  read_meta
  for capability in "${_stager_dependencies[@]}"; do
    [[ " $STAGER_ADDED " == *" $capability "* ]] || return 0
  done
  return 1
}

read_meta() {
  _stager_read_meta
  STAGER_ADDED=${_stager_meta[environment/STAGER_ADDED]-}
}

remember_added() {
  [[ $* == "$STAGER_ADDED" ]] || set_env STAGER_ADDED "$*"
  # As after a relaunch.
  export STAGER_ADDED=$*
}

# stem CAPABILITY: without its version.
stem() { printf '%s\n' "${1%%-[0-9]*}"; }

# want_runtime NAME RANGE SIGN COMMAND...: the runtime, in a version of RANGE, which the file SIGN asks for. COMMAND
# prints the version. A runtime that the user gave goes over the file.
want_runtime() {
  local name=$1 range=$2 sign=$3 chosen version
  shift 3
  if ! given "runtime.$name"; then
    chosen=$(choose_runtime "$name" "$range") ||
      fail "$sign asks for $name \"$range\", and there is $name $(series_there "$name"): change $sign, or choose one with --runtime $name-VERSION."
    if [[ $chosen != "runtime.$name" ]] && ! meta_has_dependency "$chosen"; then say "$sign asks for $name \"$range\""; fi
    want "$chosen"
  fi
  version=$(version_of "$name" "$@") ||
    fail "The runtime $name does not run: \"$*\" prints no version."
  if version_fits "$name" "$version" "$range"; then
    say "Using $name $version${range:+ for \"$range\" in $sign}"
  elif given "runtime.$name"; then
    say "Using $name $version, which the package depends on, although $sign asks for \"$range\""
  else
    fail "$sign asks for $name \"$range\", and there is $name $version: change $sign, or choose another with --runtime $name-VERSION."
  fi
}

# version_of NAME COMMAND...: the version that COMMAND prints, which depends on the packages and the environment only: so it
# is kept, because starting a runtime may take longer than all that is done with it.
version_of() {
  local name=version-$1 line lines key='' file version digest
  shift
  mapfile -t lines < <(export -p)
  for line in "${lines[@]}"; do
    [[ $line =~ ^'declare -x '(STAGER_|START_|HOSTNAME|HOME|PWD|OLDPWD|SHLVL|_=) ]] || key+=$line
  done
  if file=$(kept "$name" "$* $key"); then
    cat "$file"
    return
  fi
  version=$(in_stagerfs "$@" 2>&1 </dev/null | grep -Eo '[0-9]+(\.[0-9]+)*' | head -n 1) || return
  printf '%s\n' "$version"
  [[ ${STAGER_CACHE:-} && $version ]] || return 0
  digest=$(printf '%s\n' "$version" | sha256sum)
  rm -f "$STAGER_CACHE/$name"-*
  printf '%s\n' "$version" >"$(_stager_kept "$name" "$* $key")-${digest%% *}" || true
}

# read_json FILE: reads a JSON file of the application once for all calls of json_string, which run in subshells.
declare -A _json=()
read_json() {
  [[ -f $app/$1 ]] || return 0
  local LC_ALL=C _stager_json _stager_json_name=$1 path
  _stager_json=$(text_of "$1")
  # Of this function, and not that of the package.
  local -A _stager_meta=()
  _stager_json_value ''
  for path in "${!_stager_meta[@]}"; do _json["$1/$path"]=${_stager_meta["$path"]}; done
  _json["$1"]=yes
}

# json_string FILE PATH: a string of a JSON file of the application, such as engines/node, or nothing.
json_string() {
  [[ ${_json["$1"]-} ]] || read_json "$1"
  printf '%s\n' "${_json["$1/$2"]-}"
}

# install_dependencies COMMAND...: runs it in the application, and once more with compilers if it lacks them, because
# most applications need none. An installer that needs more for that names it in $compilers.
compilers=(package.build-essential)
install_dependencies() {
  local log code=0
  log=$(mktemp)
  in_stagerfs "$@" 2>&1 | tee "$log" || code=$?
  if ((code)) && grep -qiE "$lacks_compiler" "$log"; then
    if ! meta_has_dependency package.build-essential; then say 'The dependencies have sources to compile: adding compilers'; fi
    want_for_staging "${compilers[@]}"
  fi
  return "$code"
}
lacks_compiler='No such file or directory - (make|gcc|cc|g\+\+)|(gcc|g\+\+|cc|make)[^ ]*: (command )?not found|(gcc|g\+\+|cc|make).* No such file|not found: make|unable to find a compiler'
lacks_compiler+='|install development tools first|no developer tools|find Python|make. not found|executing .make.|Can.t (find|locate) make'

# key_of FILE...: a digest of these files of the application, and of the environment that its commands run in, without
# what stagers set themselves: the first staging does not have that yet.
key_of() {
  local file files=()
  {
    env -0 | sort -z | grep -zvE "^(STAGER_[A-Z_]+|START_[A-Z_]+|HOME|HOSTNAME|PWD|OLDPWD|SHLVL|_|[A-Za-z]+_proxy|[A-Z]+_PROXY|${set_by_stager:-STAGER_URL})="
    for file; do if [[ -f $app/$file ]]; then files+=("$file"); else printf '%s\0' "$file"; fi; done
    (cd "$app" && sha256sum -- "${files[@]}" </dev/null)
  } | sha256sum | cut -d ' ' -f 1
}

# with_kept NAME DIR COMMAND...: runs COMMAND with what it kept in DIR of /stagerfs the last time. DIR is what a package
# manager has downloaded, which it finds by name and version. What it adds later need not be kept.
with_kept() {
  local name=$1 dir=/stagerfs$2 code=0 before after
  shift 2
  restore "$name" "$name" "$dir" || _stager_own "$dir"
  before=$(_state_of "$dir")
  "$@" || code=$?
  after=$(_state_of "$dir")
  if [[ $before != "$after" ]]; then keep_meanwhile "$name" "$name" "$dir"; fi
  return "$code"
}
_state_of() { (cd "$1" && find . -type f -printf '%p %s\n' | sort | sha256sum); }

# text_of FILE: a file of the application, without what editors on Windows add: carriage returns, and a mark at its beginning.
text_of() { tr -d '\r' <"$app/$1" | LC_ALL=C sed '1s/^\xef\xbb\xbf//'; }

# first_word FILE: the first word of a file of the application.
first_word() {
  local word=''
  if [[ -f $app/$1 ]]; then read -r word _ < <(text_of "$1" | sed '/^[[:space:]]*\(#\|$\)/d') || true; fi
  printf '%s\n' "$word"
}

# asked_in_runtime_txt NAME: the version in runtime.txt, if it is one of this runtime: 3.1 of ruby-3.1.
asked_in_runtime_txt() {
  local word
  word=$(first_word runtime.txt)
  [[ $word != "$1"-* ]] || printf '%s\n' "${word#"$1"-}"
}

# given_start: the start command that the user gave, else that of the Procfile, else nothing.
given_start() {
  local said
  said=$(meta_env START_COMMAND)
  if [[ -n $said && $said != "$(meta_env STAGER_START_COMMAND)" ]]; then
    printf '%s\n' "$said"
  elif [[ -f $app/Procfile ]]; then
    text_of Procfile | sed -nE 's/^web[[:space:]]*:[[:space:]]*//p' | head -n 1
  fi
}

# put_last PATH [ARCHIVE]: in the data, PATH of /stagerfs comes after everything else, and what ARCHIVE has of it takes its
# place: what is kept need not be unpacked to be packed again. The data is the same with and without ARCHIVE.
put_last() {
  _stager_last=$1 _stager_part=${2-}
  # shellcheck disable=SC2034 # of stager.sh
  _stager_packer=_pack_last
}
_pack_last() {
  # Two blocks of zeros end an archive; without blocking, there are no more of them.
  _stager_pack "$1" -b 1 --anchored --no-wildcards --exclude="$_stager_last" "${@:2}" | head -c -1024 || return
  if [[ -n $_stager_part ]]; then cat "$_stager_part"; else _stager_pack "$1" -- "$_stager_last"; fi
}

# put_application START_COMMAND [PATH...]: ends the staging with app and these paths of /stagerfs as the data.
put_application() {
  local start=$1
  shift
  say 'Uploading the application'
  put_data /stagerfs app "$@"
  finish_application "$start"
}

# finish_application START_COMMAND: ends the staging with the data that the package has.
finish_application() {
  local start=$1 old kept=()
  read_meta
  # What the user gave stays without a mark.
  if [[ -n $start && $start != "${_stager_meta[environment/START_COMMAND]-}" ]]; then
    set_env STAGER_START_COMMAND "$start"
    set_start_command "$start"
  fi
  [[ -n ${_stager_meta[environment/START_PATH]-} ]] || set_start_path /app
  for old in $STAGER_ADDED; do
    if [[ " ${wanted[*]} " == *" $old "* ]]; then kept+=("$old"); else remove_dependencies "$old"; fi
  done
  remember_added "${kept[@]}"
  if [[ -n $start ]]; then say "The start command is: $start"; fi
  finish
}

# only_file PATTERN: the one file at the top of the application that matches, or nothing.
only_file() {
  local found
  mapfile -t found < <(cd "$app" && compgen -G "$1")
  if ((${#found[@]} == 1)); then printf '%s\n' "${found[0]}"; fi
}

# put_file PATH [MODE]: writes standard input to a file of the package outside of /app, where nothing serves it.
put_file() {
  # shellcheck disable=SC2016 # expanded in /stagerfs
  in_stagerfs_as_root sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"' sh "$1" "${2:-0644}"
}
