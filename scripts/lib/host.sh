# shellcheck shell=bash
# Prepare a host for building and running stagerd. The caller sets `root` to the checkout.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"
# shellcheck source=packages.sh
source "${root:?}/scripts/lib/packages.sh"
# shellcheck source=engine.sh
source "${root:?}/scripts/lib/engine.sh"

# On some hosts, the PATH of root lacks the sbin directories.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

require_root() {
  ((EUID == 0)) || die "root is required for mounts, networks and Docker: run 'sudo ./scripts/${0##*/}'."
}

require_node() {
  local version
  command -v node >/dev/null || die 'Node.js is missing: install Node.js 20.12 or later, with npm.'
  command -v npm >/dev/null || die 'npm is missing: install npm.'
  version=$(node --print 'process.versions.node')
  # The minimum in "engines" of package.json.
  node --eval 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 12) ? 0 : 1)' ||
    die "Node.js $version is too old: install Node.js 20.12 or later."
}

# Installs the programs that the daemon runs.
ensure_programs() {
  ensure_commands iptables=iptables ip6tables=iptables tar=tar bzip2=bzip2 xz=xz-utils zstd=zstd getfattr=attr \
    unshare=util-linux mount=mount ip=iproute2 pigz=pigz igzip=isal
}

# Installs the programs that the recipes in images/ and the scripts run.
ensure_recipe_programs() {
  ensure_commands busybox=busybox-static debootstrap=debootstrap gpgv=gpgv wget=wget openssl=openssl curl=curl \
    /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring /etc/ssl/certs/ca-certificates.crt=ca-certificates
  # The package busybox is dynamically linked on some hosts, and then does not run in a root without libraries.
  if [[ $(dpkg-query --show --showformat='${db:Status-Status}' busybox 2>/dev/null) == installed ]]; then
    note 'replacing busybox by busybox-static'
    apt_install busybox-static
  fi
}

# better-sqlite3 is compiled where its prebuilt binary cannot be downloaded.
ensure_compiler() {
  ensure_commands python3=python3 make=make g++=g++
}

native_library_loads() {
  node "$root/scripts/lib/check-native-library.js"
}

ensure_dependencies() {
  local installed=$root/node_modules/.package-lock.json
  # The installation may be for another major version of Node.js.
  if [[ -e $installed && ! $root/package-lock.json -nt $installed ]] && native_library_loads 2>/dev/null; then return; fi
  ensure_compiler
  note 'installing npm dependencies'
  (cd "$root" && npm ci --no-audit --no-fund --loglevel=error)
  # npm exits with 0 even when its configuration skips install scripts.
  native_library_loads
  touch "$installed"
}

build() {
  note 'building'
  (cd "$root" && npm run --silent build)
}

# prepare_host: installs and builds what `./bin/stagerd` and the recipes need, and ensures a running Engine.
prepare_host() {
  require_root
  require_node
  ensure_programs
  ensure_recipe_programs
  ensure_dependencies
  build
  ensure_engine
}
