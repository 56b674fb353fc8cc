# shellcheck shell=bash
# Register the stagers of stagers/, each with the libraries of stagers/lib beside its program.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

# ensure_shipped_stager NAME: creates the stager and its pipeline, or updates its program.
ensure_shipped_stager() {
  local name=$1 program options=()
  # What bash_setup.sh installs is part of the package.
  if [[ $name == bash ]]; then options=(--additive); fi
  program=$(mktemp -d)
  cp -r "$root/stagers/$name"/* "$root"/stagers/lib/*.sh "$program"
  if "$root/bin/stagectl" stager show "/apcera::$name" >/dev/null 2>&1; then
    "$root/bin/stagectl" stager update "/apcera::$name" --path "$program" --start-command ./stage
  else
    "$root/bin/stagectl" stager create "/apcera::$name" --path "$program" --start-command ./stage --pipeline \
      --depends-on os.debian --allow-egress --memory 1GB --disk 4GB --timeout 20m "${options[@]}"
  fi
  rm -r "$program"
}
