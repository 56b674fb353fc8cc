# shellcheck shell=bash
# Print the comment at the top of a script as its help.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

usage() {
  sed -n '2,/^set /{s/^# \{0,1\}//p;}' "$0"
}

# usage_error TEXT: ends the script as a wrong command line does.
usage_error() {
  printf '%s: %s; --help tells more.\n' "${0##*/}" "$*" >&2
  exit 2
}
