# shellcheck shell=bash
# Versions, and ranges of them as package managers write them: "18.x", "^18.2 || >=20", "~> 3.1", ">= 3.8, < 4". Pure.

# version_fits VERSION RANGE: an empty range, "*" or a word such as "latest" fits every version.
version_fits() {
  local version=$1 alternative
  while IFS= read -r alternative; do
    if _fits_all "$version" "$alternative"; then return 0; fi
  done < <(sed -E 's/ *\|\|? */\n/g' <<<"${2:-*}")
  return 1
}

# series_of NAME RANGE: the one series of a runtime that can be meant: 18 of node "^18.2", 3.1 of ruby "3.1.4". Prints
# nothing if there can be several. Versions within a series are compatible, so that the newest one of it serves.
series_of() {
  local range
  range=$(_plain_range "$2")
  case $1 in
    node)
      # A caret or tilde keeps the major version.
      if [[ $range =~ ^[=^~]*([0-9]+)(\.[0-9x*]+)*$ ]]; then echo "${BASH_REMATCH[1]}"; fi
      ;;
    java) if [[ $range =~ ^=*(1\.)?([0-9]+)(\.[0-9]+)*$ ]]; then echo "${BASH_REMATCH[2]}"; fi ;;
    *)
      if [[ $range =~ ^=*([0-9]+(\.[0-9]+)?)(\.[0-9x*]+)*$ || $range =~ ^~\>?=?([0-9]+\.[0-9]+)\.[0-9]+$ ]]; then
        echo "${BASH_REMATCH[1]}"
      fi
      ;;
  esac
}

# lowest_series NAME RANGE: the series with which a range begins.
lowest_series() {
  local range
  range=$(_plain_range "$2")
  if [[ $range =~ ([0-9]+)(\.[0-9]+)? ]]; then
    case $1 in
      node | java) echo "${BASH_REMATCH[1]}" ;;
      *) echo "${BASH_REMATCH[1]}${BASH_REMATCH[2]}" ;;
    esac
  fi
}

# series_fits CAPABILITY RANGE: whether a runtime such as runtime.node-18 can have a version of the range.
series_fits() {
  [[ $1 =~ -([0-9.]+)$ ]] && { version_fits "${BASH_REMATCH[1]}.99.99" "$2" || version_fits "${BASH_REMATCH[1]}" "$2"; }
}

# Removes quotes, the v of v18, .x, and the spaces behind operators; a hyphen becomes two comparisons.
_plain_range() {
  sed -E "s/[\"']//g; s/\r//g; s/lts\/hydrogen/18/; s/lts\/iron/20/; s/lts\/jod/22/; s/lts\/krypton/24/
    s/ - v?([0-9])/ <=\1/; s/^ *v?([0-9.]+) <=/>=\1 <=/; s/([<>=~^!]) +/\1/g; s/(^|[ <>=~^!])v([0-9])/\1\2/g; s/(\.[x*])+//g
    s/[, ]+/ /g; s/^ //; s/ $//" <<<"$1"
}

# _fits_all VERSION COMPARISONS
_fits_all() {
  local comparison operator bound order
  for comparison in $(set -f && _plain_range "$2"); do
    [[ $comparison =~ ^([<>=~^!]*)([0-9].*)$ ]] || continue
    operator=${BASH_REMATCH[1]} bound=${BASH_REMATCH[2]}
    order=$(_compare "$1" "$bound")
    case $operator in
      '' | = | == | ===) ((order == 0)) || return 1 ;;
      '!=') ((order != 0)) || return 1 ;;
      '>=') ((order >= 0)) || return 1 ;;
      '>') ((order > 0)) || return 1 ;;
      '<=') ((order <= 0)) || return 1 ;;
      '<') ((order < 0)) || return 1 ;;
      '^') ((order >= 0)) && (($(_compare "$1" "${bound%%.*}") == 0)) || return 1 ;;
      # All but the last number stay. A single number stays too.
      '~' | '~>' | '~=') ((order >= 0)) && (($(_compare "$1" "${bound%.*}") == 0)) || return 1 ;;
    esac
  done
}

# _compare VERSION BOUND: prints -1, 0 or 1. As many numbers count as BOUND has: 18.3 is equal to 18.
_compare() {
  local -a left right
  local index a b
  IFS=. read -ra left <<<"${1%%[-+]*}"
  IFS=. read -ra right <<<"${2%%[-+]*}"
  for index in "${!right[@]}"; do
    a=${left[index]:-0} b=${right[index]}
    a=${a//[!0-9]/} b=${b//[!0-9]/}
    if ((10#${a:-0} != 10#${b:-0})); then
      ((10#${a:-0} < 10#${b:-0})) && echo -1 || echo 1
      return
    fi
  done
  echo 0
}
