# shellcheck shell=bash
# Packages made by the recipes in images/, in a daemon that runs.
# shellcheck source=say.sh
source "${root:?}/scripts/lib/say.sh"

# ensure_recipe_package RECIPE: build it where the cache has it not, and import it where the daemon has it not.
ensure_recipe_package() {
  local recipe=$1 tarball package sha256 shown
  local metadata=$root/images/$recipe/metadata.json
  tarball=$("$root/images/build" "$recipe")
  mapfile -d '' -t package < <(node "$root/scripts/lib/recipe-package.js" "$metadata")
  sha256=$(sha256sum <"$tarball")
  shown=$("$root/bin/stagectl" package show "${package[0]}" --json 2>/dev/null) || shown=''
  if node "$root/scripts/lib/recipe-is-imported.js" "$metadata" "${sha256%% *}" <<<"$shown"; then
    note "package::${package[0]} is there already"
    return
  fi
  if [[ -n $shown ]]; then
    note "package::${package[0]} was made by another recipe: replacing it"
    "$root/bin/stagectl" package delete "${package[0]}" --batch
  fi
  show "stagectl package from-file ${tarball##*/} ${package[*]}"
  "$root/bin/stagectl" package from-file "$tarball" "${package[@]}"
}

# ensure_built_package SCRIPT FQN STAMPS: build it in the daemon, unless the daemon has what this very script has made.
ensure_built_package() {
  local script=$1 fqn=$2 stamps=$3 stamp digest
  stamp=$stamps/$(basename "$script").sha256
  # Of everything that the script is built with, too.
  digest=$(cat "$script" "$root"/stagers/compiler/* "$root"/images/debian-12/* | sha256sum)
  if [[ -e $stamp && $(<"$stamp") == "$digest" ]] && "$root/bin/stagectl" package show "$fqn" >/dev/null 2>&1; then
    note "package::$fqn is there already"
    return
  fi
  show "stagectl package build $script"
  "$root/bin/stagectl" package build "$script"
  mkdir -p "$stamps"
  echo "$digest" >"$stamp"
}
