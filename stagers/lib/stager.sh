# shellcheck shell=bash
# The Stager API for stagers in bash: see docs/stager-library.md. Begin a stager with
#
#   source "$(dirname "$0")/stager.sh"
#
# It needs bash 4.4, curl, tar, gzip and the usual small programs (coreutils or busybox). To run commands in /stagerfs
# as another user than root, it needs sudo, and the chroot of coreutils.
set -euo pipefail
# An error in a function also runs the trap for errors.
set -E
# Two streams would not keep their order, so stderr goes to stdout.
exec 2>&1

if [[ -z ${STAGER_URL:-} ]]; then
  echo 'STAGER_URL is not set: this is a stager, and only stagerd starts it.'
  exit 1
fi

# --- Output and verdicts ---

# say TEXT: a heading in the log.
say() { printf -- '-----> %s\n' "$*"; }

# fail SENTENCE: the staging fails, with this sentence in its log. In a subshell, it ends only the subshell.
fail() {
  # In $(…), stdout is captured.
  printf '%s\n' "$*" >&2
  : >"$_stager_dir/explained"
  exit 1
}

# finish: the staging goes on with the next stager, and the data and metadata of the package are kept. With
# not_reproducible=1 the result is never reused: it depends on more than what the stager was given, such as a registry.
finish() { _stager_verdict "done${not_reproducible:+?reproducible=no}"; }

# relaunch_with TYPE.NAME...: adds those dependencies that the package lacks, and starts this stager again with them: the
# root of a running container cannot change. Returns if the package has all of them, and if the relaunch would change
# nothing, because what this stager expects has them already.
relaunch_with() {
  local capability missing=()
  _stager_read_meta
  for capability; do
    [[ " ${_stager_dependencies[*]} " == *" $capability "* ]] || missing+=("$capability")
  done
  ((${#missing[@]})) || return 0
  add_dependencies "${missing[@]}"
  _stager_verdict 'relaunch?if=needed'
}

# relaunch: starts this stager again, with the current dependencies and environment of the package.
relaunch() { _stager_verdict relaunch; }

# Returns only from a relaunch that is not needed.
_stager_verdict() {
  _stager_finish_keeping
  _stager_call POST "$1"
  [[ $(<"$_stager_answer") != 'NOT NEEDED' ]] || return 0
  : >"$_stager_dir/verdict"
  exit 0
}

# --- Data ---

# get_data DIR: unpacks the data of the package into DIR. What an earlier stager packed below app/, and what the user
# uploaded without a prefix, looks the same here: the application is in DIR itself.
get_data() {
  local dir=$1 strip=()
  _stager_call GET data
  # A file that is named app is no prefix.
  [[ $(tar -tzf "$_stager_answer" | grep -v '^app/' | head -n 1) ]] || strip=(--strip-components=1)
  _stager_own "$dir"
  tar -xzf "$_stager_answer" -C "$dir" "${strip[@]}" || fail "The data of the package cannot be unpacked into $dir."
  rm "$_stager_answer"
}

# put_data DIR [PATH...]: replaces the data of the package by these files and directories of DIR, or by all that it
# contains. DIR stands for the root of the package: an application is in its directory app.
put_data() {
  local dir=$1 path entry paths=() archive=$_stager_dir/upload.tar.gz sum
  shift
  (($#)) || set -- .
  # The names of the entries have no "./", and the root directory is not among them.
  for path; do
    while [[ $path == /* || $path == ./* ]]; do path=${path#./} path=${path#/}; done
    if [[ $path == . || -z $path ]]; then
      while IFS= read -r -d '' entry; do paths+=("${entry##*/}"); done < <(
        _stager_as_root find "$dir" -mindepth 1 -maxdepth 1 -print0
      )
    else
      paths+=("${path%/}")
    fi
  done
  ((${#paths[@]})) || fail "There is nothing to upload in $dir."
  _stager_begin_keeping
  sum=$("$_stager_packer" "$dir" -- "${paths[@]}" | gzip -1 | tee "$archive" | sha256sum) || fail "$dir cannot be packed."
  # --upload-file streams the file with a Content-Length; --data-binary would read it into memory.
  _stager_call POST "data?sha256=${sum%% *}" -H 'Content-Type: application/octet-stream' --upload-file "$archive"
  rm "$archive"
}

# _stager_pack DIR [OPTION...] -- PATH...: as root, because a command that ran as root may have left files that only root
# can read.
_stager_pack() {
  local options=()
  if [[ $(tar --version 2>&1) == *GNU* ]]; then options=(--sort=name --numeric-owner); fi
  _stager_as_root tar -cf - "${options[@]}" -C "$@"
}

# snapshot [--directory DIR] [--exclude PATH]...: replaces the data of the package by what this stager changed in its
# own filesystem.
snapshot() {
  local fields=(--data-urlencode "exclude=$_stager_dir")
  while (($#)); do
    case $1 in
      --directory | --exclude)
        (($# > 1)) || fail "snapshot: $1 needs a path."
        fields+=(--data-urlencode "${1#--}=$2")
        shift 2
        ;;
      *) fail "snapshot: \"$1\" is not an option: use --directory and --exclude." ;;
    esac
  done
  _stager_call POST snapshot -G "${fields[@]}"
}

# --- Metadata ---

set_env() {
  local value=value=$2
  # An argument has at most 128 KiB. curl sends an empty file without the name of the field.
  if ((${#2} > 30000)); then
    printf '%s' "$2" >"$_stager_dir/value"
    value=value@$_stager_dir/value
  fi
  _stager_put_meta environment add "key=$1" "$value"
  _stager_note_variable "$1" "$2"
}
unset_env() {
  _stager_put_meta environment remove "key=$1"
  _stager_note_variable "$1" ''
}

set_start_command() { set_env START_COMMAND "$1"; }
set_start_path() { set_env START_PATH "$1"; }

# TYPE is os, runtime, file or package.
add_provides() { _stager_capabilities provides add "$@"; }
remove_provides() { _stager_capabilities provides remove "$@"; }
add_dependencies() { _stager_capabilities dependencies add "$@"; }
remove_dependencies() { _stager_capabilities dependencies remove "$@"; }

# add_template PATH [LEFT RIGHT]: the delimiters are {{ and }} unless they are given.
add_template() { _stager_template add "$@"; }
remove_template() { _stager_template remove "$@"; }

# meta_dependencies: prints the dependencies of the package, one TYPE.NAME in each line.
meta_dependencies() {
  _stager_read_meta
  ((${#_stager_dependencies[@]} == 0)) || printf '%s\n' "${_stager_dependencies[@]}"
}

# meta_has_dependency TYPE.PREFIX: whether the package has a dependency that begins so: runtime.node is also true for
# runtime.node-20.
meta_has_dependency() {
  local capability
  _stager_read_meta
  for capability in "${_stager_dependencies[@]}"; do
    [[ $capability != "$1"* ]] || return 0
  done
  return 1
}

# meta_env KEY: prints the value of a variable that the package itself has, or nothing.
meta_env() {
  _stager_read_meta
  printf '%s\n' "${_stager_meta["environment/$1"]-}"
}

_stager_template() {
  local action=$1 path=$2 fields=()
  shift 2
  if (($#)); then fields=("left_delimiter=$1" "right_delimiter=${2-}"); fi
  change_meta templates "$action" "path=$path" "${fields[@]}"
}

_stager_capabilities() {
  local resource=$1 action=$2 capability
  shift 2
  for capability; do
    [[ $capability == *.* ]] || fail "\"$capability\" is not a capability: write TYPE.NAME, such as runtime.node."
    _stager_put_meta "$resource" "$action" "type=${capability%%.*}" "name=${capability#*.}"
    if [[ $resource == dependencies && $_stager_meta_is_read ]]; then _stager_note_dependency "$action" "$capability"; fi
  done
}

# change_meta RESOURCE ACTION FIELD=VALUE...: any change, as in docs/stager-api.md.
change_meta() {
  _stager_meta_is_read=''
# What _stager_json is, for the sentence about a mistake in it.
_stager_json_name='The answer to GET /meta'
  _stager_put_meta "$@"
}

# The caller notes the change in what is known of the metadata: nobody else changes it during a launch.
_stager_put_meta() {
  local field fields=()
  for field in "resource=$1" "action=$2" "${@:3}"; do fields+=(--data-urlencode "$field"); done
  _stager_call PUT meta "${fields[@]}"
}

_stager_note_variable() { [[ -z $_stager_meta_is_read ]] || _stager_meta["environment/$1"]=$2; }

_stager_note_dependency() {
  local action=$1 known kept=()
  for known in "${_stager_dependencies[@]}"; do
    if [[ $known != "$2" ]]; then kept+=("$known"); elif [[ $action == add ]]; then return; fi
  done
  if [[ $action == add ]]; then kept+=("$2"); fi
  _stager_dependencies=("${kept[@]}")
}

# --- /stagerfs ---

# in_stagerfs COMMAND...: runs a command of the package's filesystem in its /app, as the user of this stager, with the
# environment of the launch, which contains that of the package, and all that its dependencies set. Put the application there
# first: get_data /stagerfs/app. Returns the exit code of the command.
in_stagerfs() { _stager_chroot /tmp/stager-home --userspec="$(id -u):$(id -g)" -- "$@"; }

# in_stagerfs_as_root COMMAND...: the same as root.
in_stagerfs_as_root() { _stager_chroot /root -- "$@"; }

# _stager_chroot HOME [OPTION...] -- COMMAND...
_stager_chroot() {
  local home=$1 options=() variable variables=() given=()
  shift
  while [[ $1 != -- ]]; do options+=("$1") && shift; done
  shift
  # It may be a symbolic link that has its target only within /stagerfs.
  [[ -e /stagerfs/bin/sh || -L /stagerfs/bin/sh ]] ||
    fail '/stagerfs has no /bin/sh: give the package an operating system first, with relaunch_with os.NAME.'
  _stager_own /stagerfs/app
  # HOME is outside of /app, where caches would become part of the application.
  [[ -d /stagerfs$home ]] || _stager_own "/stagerfs$home"
  # Without STAGER_URL, the command cannot post a verdict. STAGER_CACHE and STAGER_SECRETS are outside of /stagerfs. sudo would
  # remove the other variables.
  while IFS= read -r -d '' variable; do
    case $variable in
      STAGER_URL=* | STAGER_CACHE=* | STAGER_SECRETS=* | HOME=* | PWD=* | OLDPWD=* | SHLVL=* | _=*) ;;
      # Of the dependencies of the package, for their programs alone.
      STAGERFS_ENV_*) given+=("${variable#STAGERFS_ENV_}") ;;
      *) variables+=("$variable") ;;
    esac
  done < <(env -0)
  # `env` is the last to start: a shell may drop variables that it cannot name.
  _stager_as_root chroot "${options[@]}" /stagerfs /bin/sh -c 'cd /app && exec env -i "$@"' sh \
    "${variables[@]}" "${given[@]}" "HOME=$home" "$@"
}

# Makes a directory that belongs to the user of this stager, unless there is one already.
_stager_own() {
  [[ ! -d $1 ]] || [[ ! -w $1 ]] || return 0
  mkdir -p "$1" 2>/dev/null && [[ -w $1 ]] && return 0
  { _stager_as_root mkdir -p "$1" && _stager_as_root chown "$(id -u):$(id -g)" "$1"; } ||
    fail "The directory $1 cannot be made, or cannot be given to the user of this stager."
}

_stager_as_root() {
  if ((EUID == 0)) || ! command -v sudo >/dev/null; then "$@"; else sudo -- "$@"; fi
}

# --- Secrets ---

# secret NAME: prints the path of the file with a secret of the stager or of its staging. Returns 1 if it has none of this
# name. A command in /stagerfs gets it on its standard input: in_stagerfs COMMAND <"$(secret NAME)".
secret() {
  local file=${STAGER_SECRETS:-/dev/null}/$1
  [[ -f $file ]] || return 1
  printf '%s\n' "$file"
}

# --- What is kept for the next staging ---

# restore NAME KEY DIR [BASE]: puts back what `keep` has kept of DIR by this name and key, in this or an earlier staging of
# the package. Returns 1 if there is nothing, or if it is damaged: then make it again. The key is any text that tells what
# DIR depends on, such as the digest of a lock file. The packages that / and /stagerfs consist of are always part of it.
restore() {
  local dir=$3 base=${4:-$(dirname "$3")} file
  file=$(kept "$1" "$2") || return 1
  _stager_own "$(dirname "$dir")"
  # shellcheck disable=SC2016 # expanded by sh
  if _stager_as_root sh -c 'rm -rf "$2" && tar -xpf "$1" -C "$3"' sh "$file" "$dir" "$base"; then return 0; fi
  _stager_as_root rm -rf "$dir"
  rm -f "$file" || true
  return 1
}

# kept NAME KEY: prints the path of the archive that `restore` would unpack.
kept() {
  local file digest
  for file in "$(_stager_kept "$1" "$2")"-*; do
    # The name has the digest, which finds out what was cut short. Of anything else than a file, nothing is read.
    digest=''
    if [[ -f $file && ! -L $file ]]; then digest=$(sha256sum <"$file") || true; fi
    if [[ -n $digest && ${digest%% *} == "${file##*-}" ]]; then
      printf '%s\n' "$file"
      return
    fi
    rm -rf "$file" || true
  done
  return 1
}

# keep NAME KEY DIR [BASE]: keeps a copy of DIR for the next staging, unless it has more than 256 MiB. Of each name, the
# three latest are kept. The names in the archive are relative to BASE, which is the directory above DIR if it is not given.
# Sets kept_archive to what `kept` would print, or to nothing.
keep() {
  kept_archive=''
  [[ -z ${STAGER_CACHE:-} ]] || _stager_keep "$@" || say "$3 is not kept for the next staging"
}

# keep_meanwhile NAME KEY DIR [BASE]: the same while the data is packed and uploaded, or before the verdict. DIR stays as it
# is from then on.
keep_meanwhile() { _stager_to_keep+=("$(printf '%q ' "$@")"); }

_stager_begin_keeping() {
  local words
  for words in "${_stager_to_keep[@]}"; do
    eval "keep $words" &
    _stager_keeping+=("$!")
  done
  _stager_to_keep=()
}

_stager_finish_keeping() {
  _stager_begin_keeping
  ((${#_stager_keeping[@]} == 0)) || wait "${_stager_keeping[@]}" || true
  _stager_keeping=()
}

_stager_keep() {
  local dir=$3 base=${4:-$(dirname "$3")} fresh=$STAGER_CACHE/new-$BASHPID file digest size
  size=$(_stager_as_root du -sk "$dir") && ((${size%%[!0-9]*} <= 256 * 1024)) || return 1
  file=$(_stager_kept "$1" "$2")
  # What is in the place of a file is not written to or into.
  rm -rf "$fresh" "$file"-*
  if ! digest=$(_stager_pack "$base" -- "${dir#"$base"/}" | tee "$fresh" | sha256sum); then
    rm -f "$fresh"
    return 1
  fi
  mv "$fresh" "$file-${digest%% *}" || return 1
  # shellcheck disable=SC2034 # for the caller of keep
  kept_archive=$file-${digest%% *}
  # shellcheck disable=SC2012 # the names are digests
  while IFS= read -r file; do rm -rf "$file"; done < <(ls -td "$STAGER_CACHE/$1"-* | tail -n +4)
}

_stager_kept() {
  local digest
  digest=$(printf '%s\0' "$2" "${STAGER_BASE:-}" | sha256sum)
  printf '%s\n' "${STAGER_CACHE:-/dev/null}/$1-${digest%% *}"
}

# --- Requests ---

# stager_request METHOD PATH [OPTION-OF-CURL...]: the body of the answer is in the file $_stager_answer. Returns 1 if the
# request is refused, with the reason in STAGER_REFUSAL. All other functions end the stager then.
stager_request() {
  local method=$1 path=$2 attempt status code
  shift 2
  for attempt in 1 2 3; do
    code=0
    : >"$_stager_answer"
    status=$(curl -sS -X "$method" -o "$_stager_answer" -w '%{http_code}' "$@" "$STAGER_URL/$path" \
      2>"$_stager_dir/curl") || code=$?
    if ((code == 0)) && [[ $status == 200 ]]; then return 0; fi
    # 000 is no answer, and 100 only permits an upload.
    if ((10#$status > 200)); then
      STAGER_REFUSAL="$method /${path%%\?*} was refused with $status: $(head -c 2000 "$_stager_answer")"
      return 1
    fi
    STAGER_REFUSAL="$method /${path%%\?*} got no answer: $(<"$_stager_dir/curl")"
    # A request can be repeated if it has the same effect twice, or was not sent: 6 and 7 are failures to connect.
    if [[ $path == snapshot ]] && ((code != 6 && code != 7)); then return 1; fi
    if ((attempt < 3)); then sleep "$attempt"; fi
  done
  return 1
}

_stager_call() { stager_request "$@" || fail "$STAGER_REFUSAL"; }

# _stager_read_meta: fills _stager_meta, such as [environment/PORT]=80 and [dependencies/0/type]=os, and
# _stager_dependencies.
_stager_read_meta() {
  local LC_ALL=C index
  # Nobody else changes it during a launch.
  [[ -z $_stager_meta_is_read ]] || return 0
  _stager_call GET meta
  _stager_json=$(<"$_stager_answer")
  declare -gA _stager_meta=()
  _stager_dependencies=()
  _stager_json_value ''
  for ((index = 0; ; index++)); do
    [[ ${_stager_meta["dependencies/$index/type"]-} ]] || break
    _stager_dependencies+=("${_stager_meta["dependencies/$index/type"]}.${_stager_meta["dependencies/$index/name"]}")
  done
  _stager_meta_is_read=yes
}

# Takes one value of _stager_json, and keeps the strings in it below PATH.
_stager_json_value() {
  local path=$1 prefix=${1:+$1/} index=0 _stager_string
  _stager_json_space
  case $_stager_json in
    \"*)
      _stager_json_string
      _stager_meta["$path"]=$_stager_string
      ;;
    "["* | "{"*)
      local open=${_stager_json:0:1}
      _stager_json=${_stager_json:1}
      _stager_json_space
      while [[ $_stager_json != "]"* && $_stager_json != "}"* ]]; do
        [[ -n $_stager_json ]] || fail "$_stager_json_name is cut short, or is no JSON."
        if [[ $open == '{' ]]; then
          _stager_json_string
          _stager_json_space
          _stager_json=${_stager_json#:}
        else
          _stager_string=$((index++))
        fi
        _stager_json_value "$prefix$_stager_string"
        _stager_json_space
        _stager_json=${_stager_json#,}
        _stager_json_space
      done
      _stager_json=${_stager_json:1}
      ;;
    # A number, true, false or null.
    *) _stager_json=${_stager_json#"${_stager_json%%[],\}]*}"} ;;
  esac
}

# Takes a string into _stager_string.
_stager_json_string() {
  local chunk raw='' backslashes
  _stager_json=${_stager_json#\"}
  while :; do
    [[ $_stager_json == *\"* ]] || fail "$_stager_json_name is cut short, or is no JSON."
    chunk=${_stager_json%%\"*}
    _stager_json=${_stager_json:${#chunk}+1}
    # A quote after an odd number of backslashes belongs to the string.
    backslashes=${chunk##*[!\\]}
    ((${#backslashes} % 2)) || break
    raw+=${chunk%?}\"
  done
  # printf knows the other escapes of JSON.
  printf -v _stager_string '%b' "$raw$chunk"
}

_stager_json_space() { _stager_json=${_stager_json#"${_stager_json%%[![:space:]]*}"}; }

# --- The end ---

_stager_where=''
# What packs the data. application.sh has another one.
_stager_packer=_stager_pack
_stager_meta_is_read=''
# What `keep_meanwhile` was given, and the processes that do it.
_stager_to_keep=()
_stager_keeping=()
_stager_dir=$(mktemp -d)
_stager_answer=$_stager_dir/answer

# Notes where the stager itself has an error, or calls the function of this library that has it.
_stager_note() {
  local frame=1 command=$1
  while [[ ${BASH_SOURCE[frame]-} == "${BASH_SOURCE[0]}" ]]; do
    command=${FUNCNAME[frame]}
    ((++frame))
  done
  _stager_where="in ${BASH_SOURCE[frame]##*/}, line ${BASH_LINENO[frame - 1]}: $command"
}

_stager_end() {
  local code=$?
  trap - EXIT ERR
  if [[ ! -e $_stager_dir/verdict ]]; then
    if [[ ! -e $_stager_dir/explained ]]; then
      if ((code)); then
        echo "The stager ended with exit code $code${_stager_where:+ $_stager_where}."
      else
        echo 'The stager ended without a verdict: end it with finish, fail or relaunch_with.'
      fi
    fi
    _stager_finish_keeping
    stager_request POST failed || ((code)) || echo "$STAGER_REFUSAL"
    ((code)) || code=1
  fi
  rm -rf "$_stager_dir"
  exit "$code"
}
trap '_stager_note "$BASH_COMMAND"' ERR
trap _stager_end EXIT
