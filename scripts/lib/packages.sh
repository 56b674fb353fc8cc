# shellcheck shell=bash

# ensure_commands COMMAND=PACKAGE...: install the packages whose commands are missing, and nothing else. A command that
# begins with a slash is a file to look for.
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
  # root's PATH has the sbin directories on some hosts only.
  if [[ $1 == /* ]]; then [[ -e $1 ]]; else PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; fi
}

apt_install() {
  local log
  command -v apt-get >/dev/null ||
    die "this host has no apt-get: install these by hand, then run this again: $*."
  log=$(mktemp)
  # Lists may be missing, or older than what the mirror still holds: they are refreshed only when they do not serve.
  if apt_get_install "$@" >"$log" 2>&1 || { apt-get update && apt_get_install "$@"; } >>"$log" 2>&1 ||
    # Somebody else's repository may be out of reach; what is wanted here is in the distribution's.
    apt_get_install "$@" >>"$log" 2>&1; then
    rm "$log"
    return
  fi
  tail -n 20 "$log" >&2
  die "apt-get could not install $*: its output is in $log."
}

apt_get_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}
