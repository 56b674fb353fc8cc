# shellcheck shell=bash

# debian_mirror SUITE: where this host itself gets SUITE from. Prints nothing when it does not: debootstrap then uses
# the mirror that it was built with. STAGERD_DEBIAN_MIRROR overrides both.
debian_mirror() {
  local suite=$1
  if [[ -n ${STAGERD_DEBIAN_MIRROR:-} ]]; then
    echo "$STAGERD_DEBIAN_MIRROR"
    return
  fi
  # shellcheck disable=SC2016 # the dollar signs are apt's
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$suite" '$2 == suite && $3 == "main" && !found { found = 1; sub("/$", "", $1); print $1 }'
}

# What apt was told about proxies, debootstrap's downloader wants in the environment.
export_apt_proxy() {
  local proxy=''
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  if [[ -n $proxy && $proxy != DIRECT ]]; then export http_proxy=$proxy; fi
}
