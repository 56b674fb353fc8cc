# shellcheck shell=bash
# Put the packages of the recipes in images/ into the running daemon.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

# ensure_recipe_package RECIPE: builds the tarball if the cache lacks it, and imports it if the daemon lacks it.
ensure_recipe_package() {
  local recipe=$1 tarball package sha256 existing
  local metadata=$root/images/$recipe/metadata.json
  tarball=$("$root/images/build" "$recipe")
  mapfile -d '' -t package < <(node "$root/scripts/lib/recipe-package.js" "$metadata")
  sha256=$(sha256sum <"$tarball")
  existing=$("$root/bin/stagectl" package show "${package[0]}" --json 2>/dev/null) || existing=''
  if node "$root/scripts/lib/recipe-is-imported.js" "$metadata" "${sha256%% *}" <<<"$existing"; then
    note "package::${package[0]} is up to date"
    return
  fi
  if [[ -n $existing ]]; then
    note "package::${package[0]} is outdated: replacing it"
    "$root/bin/stagectl" package delete "${package[0]}" --batch
  fi
  show_command "stagectl package from-file ${tarball##*/} ${package[*]}"
  "$root/bin/stagectl" package from-file "$tarball" "${package[@]}"
}
