# shellcheck shell=bash
# shellcheck disable=SC2154 # root

# prometheus_program NAME: prints the path of `promtool` or `prometheus`, of the host or from the package of the
# distribution. The package is unpacked below .cache and not installed: it would start a Prometheus. The caller sets
# `root` to the checkout.
prometheus_program() {
  local place=$root/.cache/promtool name=$1
  if command -v "$name"; then return; fi
  if [[ ! -x $place/usr/bin/$name ]]; then
    (
      rm -rf "$place" && mkdir -p "$place/package" && cd "$place/package"
      apt-get -q download prometheus >/dev/null 2>&1 || { apt-get -q update && apt-get -q download prometheus; } >/dev/null 2>&1
      dpkg-deb -x prometheus_*.deb "$place"
      rm -r "$place/package"
    ) || die "$name is missing: install the package prometheus, then run this again."
  fi
  echo "$place/usr/bin/$name"
}
