# shellcheck shell=bash
# Print messages of a script: to stdout, and errors to stderr.

bold='' dim='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

# heading TEXT: announces a step, with the seconds since the start of the script.
heading() {
  printf '\n%s==> %s%s %s(%d s)%s\n' "$bold" "$1" "$plain" "$dim" "$SECONDS" "$plain"
}

note() {
  printf '    %s\n' "$*"
}

# show_command TEXT: prints a command line.
show_command() {
  printf '%s    $ %s%s\n' "$dim" "$*" "$plain"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}
