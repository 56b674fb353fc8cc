# shellcheck shell=bash
# shellcheck disable=SC2154 # root

# promtool_path: prints the path of promtool, of the host or from the package of the distribution. The package is
# unpacked below .cache and not installed: it would start a Prometheus. The caller sets `root` to the checkout.
promtool_path() {
  local place=$root/.cache/promtool
  if command -v promtool; then return; fi
  if [[ ! -x $place/usr/bin/promtool ]]; then
    (
      rm -rf "$place" && mkdir -p "$place/package" && cd "$place/package"
      apt-get -q download prometheus >/dev/null 2>&1 || { apt-get -q update && apt-get -q download prometheus; } >/dev/null 2>&1
      dpkg-deb -x prometheus_*.deb "$place"
      rm -r "$place/package"
    ) || die 'promtool is missing: install the package prometheus, then run this again.'
  fi
  echo "$place/usr/bin/promtool"
}
