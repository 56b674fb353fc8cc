# shellcheck shell=bash
# What a script tells the person before it. All of it on stdout but `die`.

bold='' dim='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

# heading TEXT: a step, with the seconds since the script began.
heading() {
  printf '\n%s==> %s%s %s(%d s)%s\n' "$bold" "$1" "$plain" "$dim" "$SECONDS" "$plain"
}

note() {
  printf '    %s\n' "$*"
}

# The command, as one would type it.
show() {
  printf '%s    $ %s%s\n' "$dim" "$*" "$plain"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}
