# shellcheck shell=bash

# ensure_commands COMMAND=PACKAGE...: installs the packages whose commands are missing. A COMMAND that begins with a
# slash is the path of a file.
ensure_commands() {
  local pair package missing=()
  for pair; do
    package=${pair#*=}
    has_command "${pair%%=*}" || [[ " ${missing[*]} " == *" $package "* ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  note "installing ${missing[*]}"
  apt_install "${missing[@]}"
}

has_command() {
  # On some hosts, the PATH of root lacks the sbin directories.
  if [[ $1 == /* ]]; then [[ -e $1 ]]; else PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; fi
}

apt_install() {
  local log
  command -v apt-get >/dev/null ||
    die "apt-get is missing: install these packages yourself, then run this again: $*."
  log=$(mktemp)
  # Package lists may be missing or outdated. They are updated only when the installation fails.
  if apt_get_install "$@" >"$log" 2>&1 || { apt-get update && apt_get_install "$@"; } >>"$log" 2>&1 ||
    # An update fails when any repository is unreachable, but the repository of the distribution may suffice.
    apt_get_install "$@" >>"$log" 2>&1; then
    rm "$log"
    return
  fi
  tail -n 20 "$log" >&2
  die "apt-get could not install $*: see its output, $log."
}

apt_get_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}
