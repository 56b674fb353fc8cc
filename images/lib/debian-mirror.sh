# shellcheck shell=bash

# debian_mirror SUITE: prints the mirror from which apt on this host gets SUITE. Prints nothing without one: debootstrap
# then uses its default. STAGERD_DEBIAN_MIRROR overrides both.
debian_mirror() {
  local suite=$1
  # In a container, apt is that of the recipe's tools, and its configuration is not that of the host.
  if [[ -n ${RECIPE_INPUTS:-} ]]; then
    cat "$RECIPE_INPUTS"
    return
  fi
  if [[ -n ${STAGERD_DEBIAN_MIRROR:-} ]]; then
    echo "$STAGERD_DEBIAN_MIRROR"
    return
  fi
  # shellcheck disable=SC2016 # apt expands these variables
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$suite" '$2 == suite && $3 == "main" && !found { found = 1; sub("/$", "", $1); print $1 }'
}

# debootstrap reads the proxy from the environment instead of the configuration of apt.
export_apt_proxy() {
  local proxy=''
  command -v apt-config >/dev/null || return 0
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  if [[ -n $proxy && $proxy != DIRECT ]]; then export http_proxy=$proxy; fi
}
