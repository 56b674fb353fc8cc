# shellcheck shell=bash
# Versions, and ranges of them as package managers write them: "18.x", "^18.2 || >=20", "~> 3.1", ">= 3.8, < 4".
#
# An equality with fewer than three numbers means all versions that begin so, in every language. Prereleases are
# ignored. Internally, a version is one number, and a range is a list of alternatives "FROM TO [FROM TO]...": the versions
# from FROM up to TO, without TO, and without those of the further pairs. No alternatives stand for all versions.
_no_end=$((10 ** 18))

# choose_runtime NAME RANGE: prints the capability to depend on for a version in RANGE: the first in STAGER_RUNTIMES, which
# is in order of preference, that fits. Fails if there are versions and none of them fits.
#
# Versions within a series, such as 18 of node and 3.1 of ruby, are compatible. So where no version fits, one serves that
# is of the same series as a version in the range.
choose_runtime() {
  local name=$1 leaf prefix rest _from _to
  local -a _alternatives _versions _leaves
  _read_range "$name" "$2"
  _read_runtimes "$name"
  if ((${#_alternatives[@]} == 0)); then
    # Nothing is asked for, so policy decides.
    echo "runtime.$name"
    return
  elif ((${#_versions[@]} == 0)); then
    prefix=$(_only_series "$name")
    echo "runtime.$name${prefix:+-$prefix}"
    return
  fi
  for leaf in "${_leaves[@]}"; do
    _bounds "$leaf"
    _has "$_from" "$_to" || continue
    # As few numbers as name no version outside of the range.
    prefix=$(_series "$name" "$leaf")
    until _is_there "$prefix" && _fits_with_all "$prefix"; do
      rest=${leaf#"$prefix."}
      prefix+=.${rest%%.*}
    done
    echo "runtime.$name-$prefix"
    return
  done
  for leaf in "${_leaves[@]}"; do
    prefix=$(_series "$name" "$leaf")
    _bounds "$prefix"
    _has "$_from" "$_to" || continue
    if _is_there "$prefix"; then leaf=$prefix; fi
    echo "runtime.$name-$leaf"
    return
  done
  return 1
}

# version_fits NAME VERSION RANGE: whether a version of the same series is in the range.
version_fits() {
  local version _from _to
  local -a _alternatives
  _read_range "$1" "$3"
  version=$(_plain "$1" "$2")
  _bounds "$(_series "$1" "$version")"
  _has "$_from" "$_to"
}

# series_there NAME: prints the series in STAGER_RUNTIMES, the oldest first: "3.1, 3.3".
series_there() {
  local leaf
  local -a _versions _leaves
  _read_runtimes "$1"
  for leaf in "${_leaves[@]}"; do _series "$1" "$leaf"; done | sort -Vu | paste -sd, | sed 's/,/, /g'
}

# _series NAME VERSION: the numbers with which compatible versions begin.
_series() {
  local rest=${2#*.}
  case $1 in
    node | java) echo "${2%%.*}" ;;
    *) if [[ $rest == "$2" ]]; then echo "$2"; else echo "${2%%.*}.${rest%%.*}"; fi ;;
  esac
}

# _only_series NAME: prints the series that has all of the range, if there is one.
_only_series() {
  local series _from _to
  local -a bounds
  ((${#_alternatives[@]} == 1)) || return 0
  read -ra bounds <<<"${_alternatives[0]}"
  series=$(_series "$1" "$((bounds[0] / 10 ** 12)).$((bounds[0] / 10 ** 6 % 10 ** 6))")
  _bounds "$series"
  if ((bounds[1] <= _to)); then echo "$series"; fi
}

# _read_runtimes NAME: reads STAGER_RUNTIMES into _versions, and into _leaves those that none is more exact than.
_read_runtimes() {
  local capability version pattern="^runtime\.$1-([0-9]+(\.[0-9]+)*)$"
  local -a capabilities
  read -ra capabilities <<<"${STAGER_RUNTIMES:-}"
  _versions=() _leaves=()
  for capability in "${capabilities[@]}"; do
    if [[ $capability =~ $pattern ]]; then _versions+=("${BASH_REMATCH[1]}"); fi
  done
  for version in "${_versions[@]}"; do
    if [[ " ${_versions[*]}" != *" $version."* ]]; then _leaves+=("$version"); fi
  done
}

_is_there() { [[ " ${_versions[*]} " == *" $1 "* ]]; }

# _fits_with_all PREFIX: whether all versions that begin so are in the range.
_fits_with_all() {
  local leaf _from _to
  for leaf in "${_leaves[@]}"; do
    [[ $leaf. == "$1".* ]] || continue
    _bounds "$leaf"
    _has "$_from" "$_to" || return 1
  done
}

# _has FROM TO: whether a version from FROM up to TO, without TO, is in the range.
_has() {
  local alternative from to pass index
  local -a bounds
  ((${#_alternatives[@]})) || return 0
  for alternative in "${_alternatives[@]}"; do
    read -ra bounds <<<"$alternative"
    from=$(($1 > bounds[0] ? $1 : bounds[0])) to=$(($2 < bounds[1] ? $2 : bounds[1]))
    # Each pass may uncover the end of another exclusion.
    for ((pass = 2; pass < ${#bounds[@]}; pass += 2)); do
      for ((index = 2; index < ${#bounds[@]}; index += 2)); do
        if ((bounds[index] <= from && from < bounds[index + 1])); then from=${bounds[index + 1]}; fi
        if ((bounds[index] < to && to <= bounds[index + 1])); then to=${bounds[index]}; fi
      done
    done
    if ((from < to)); then return 0; fi
  done
  return 1
}

# _bounds VERSION [COUNT]: sets _from and _to to the bounds of the versions that begin with these numbers, or with COUNT of
# them.
_bounds() {
  local index value count
  local -a numbers
  IFS=. read -ra numbers <<<"$1"
  count=${2:-${#numbers[@]}}
  ((count <= 3)) || count=3
  _from=0
  for index in 0 1 2; do
    value=${numbers[index]:-0}
    ((index < count)) || value=0
    ((${#value} <= 6)) || value=999999
    _from=$((_from * 10 ** 6 + 10#$value))
  done
  _to=$((_from + 10 ** (6 * (3 - count))))
}

# _plain NAME TEXT: without quotes, and with one space between comparisons. A hyphen becomes two of them.
_plain() {
  local java=''
  # Java 8 has the version 1.8 too.
  if [[ $1 == java ]]; then java='s/(^|[^0-9.])1\.([0-9])/\1\2/g;'; fi
  sed -E "s/[\"'\r]//g; s/,/ /g; s/@[a-z]+//g; s/([^ |]+) +- +([^ |]+)/>=\1 -\2/g; s/([<>=~^!])[ \t]+/\1/g; $java
    s/lts\/argon/4/; s/lts\/boron/6/; s/lts\/carbon/8/; s/lts\/dubnium/10/; s/lts\/erbium/12/; s/lts\/fermium/14/
    s/lts\/gallium/16/; s/lts\/hydrogen/18/; s/lts\/iron/20/; s/lts\/jod/22/; s/lts\/krypton/24/" <<<"$2"
}

# _read_range NAME RANGE: reads it into _alternatives.
_read_range() {
  local alternative
  _alternatives=()
  while IFS= read -r alternative; do
    _read_alternative "$1" "$alternative"
    if [[ ${_alternatives[-1]} == "0 $_no_end" ]]; then
      _alternatives=()
      return
    fi
  done < <(_plain "$1" "$2" | sed -E 's/ *\|\|? */\n/g')
}

_comparison='^([<>=~^!-]*)[vV]?([0-9]+(\.[0-9]+)*)(\.[xX*])*(.*)$'

# _read_alternative NAME COMPARISONS: what is no version, such as "*" and "latest", fits every version.
_read_alternative() {
  local name=$1 comparison operator version any suffix end count from=0 to=$_no_end except='' _from _to
  local -a comparisons numbers
  read -ra comparisons <<<"$2"
  for comparison in "${comparisons[@]}"; do
    [[ $comparison =~ $_comparison ]] || continue
    operator=${BASH_REMATCH[1]} version=${BASH_REMATCH[2]} any=${BASH_REMATCH[4]} suffix=${BASH_REMATCH[5]}
    IFS=. read -ra numbers <<<"$version"
    count=${#numbers[@]}
    _bounds "$version"
    # For npm, 18 is every version of 18; for Python, Ruby and PHP, 3.1 is 3.1.0.
    end=$_to
    case $name in python | ruby | php*) [[ -n $any ]] || end=$((_from + 1)) ;; esac
    # A prerelease is before its version. The patch levels of Ruby are none.
    if [[ $suffix =~ ^(-|\.?[a-zA-Z]) && ! $suffix =~ ^-?p[0-9] ]]; then end=$_from; fi
    case $operator in
      '' | = | == | ===) _limit "$_from" "$_to" ;;
      '!=' | '<>') except+=" $_from $end" ;;
      '>=') _limit "$_from" "$_no_end" ;;
      '>') _limit "$end" "$_no_end" ;;
      '<') _limit 0 "$_from" ;;
      '<=') _limit 0 "$end" ;;
      # The end of "16 - 18".
      -) _limit 0 "$((end == _from ? end : _to))" ;;
      # The first number that is not 0 stays.
      '^')
        for ((count = 1; count < ${#numbers[@]}; count++)); do
          ((10#${numbers[count - 1]} == 0)) || break
        done
        _limit_series "$version" "$count"
        ;;
      # npm and Poetry let two numbers stay, the others all but the last.
      '~' | '~>' | '~=')
        if [[ $operator == '~' && $name != php* || $name == node ]]; then
          ((count <= 2)) || count=2
        else
          ((--count)) || count=1
        fi
        _limit_series "$version" "$count"
        ;;
    esac
  done
  _alternatives+=("$from $to$except")
}

# _limit FROM TO
_limit() {
  if (($1 > from)); then from=$1; fi
  if (($2 < to)); then to=$2; fi
}

# _limit_series VERSION COUNT: from VERSION on, as long as the first COUNT numbers stay.
_limit_series() {
  local lowest=$_from
  _bounds "$@"
  _limit "$lowest" "$_to"
}
