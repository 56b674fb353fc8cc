# shellcheck shell=bash
# Everything that must be on a host before stagerd can be built and run. The caller sets `root` to the checkout.
# shellcheck source=say.sh
source "${root:?}/scripts/lib/say.sh"
# shellcheck source=packages.sh
source "${root:?}/scripts/lib/packages.sh"
# shellcheck source=engine.sh
source "${root:?}/scripts/lib/engine.sh"

# Ask for what is in PATH for root on every host.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

require_root() {
  ((EUID == 0)) || die "this mounts, makes networks and talks to Docker: run it as root, as in 'sudo ./scripts/${0##*/}'."
}

require_node() {
  local version
  command -v node >/dev/null || die 'there is no Node.js on this host: install Node.js 20.12 or later, with npm.'
  command -v npm >/dev/null || die 'there is no npm on this host: install it beside Node.js.'
  version=$(node --print 'process.versions.node')
  # The first release with everything that package.json's "engines" asks for.
  node --eval 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 12) ? 0 : 1)' ||
    die "Node.js $version is too old: install Node.js 20.12 or later."
}

# What the daemon itself runs.
ensure_programs() {
  ensure_commands iptables=iptables ip6tables=iptables tar=tar bzip2=bzip2 xz=xz-utils zstd=zstd getfattr=attr \
    unshare=util-linux mount=mount ip=iproute2 pigz=pigz igzip=isal
}

# What recipes in images/ run, and what the scripts need beside that.
ensure_recipe_programs() {
  ensure_commands busybox=busybox-static debootstrap=debootstrap openssl=openssl curl=curl \
    /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring /etc/ssl/certs/ca-certificates.crt=ca-certificates
  # Some hosts have a busybox that needs libraries, and so does not run in a root of its own.
  if [[ $(dpkg-query --show --showformat='${db:Status-Status}' busybox 2>/dev/null) == installed ]]; then
    note 'replacing busybox by busybox-static'
    apt_install busybox-static
  fi
}

# The binding to SQLite is compiled where its prebuilt file is out of reach.
ensure_compiler() {
  ensure_commands python3=python3 make=make g++=g++
}

native_library_loads() {
  node "$root/scripts/lib/check-native-library.js"
}

ensure_dependencies() {
  local installed=$root/node_modules/.package-lock.json
  # What is installed may be for another major version of Node.js.
  if [[ -e $installed && ! $root/package-lock.json -nt $installed ]] && native_library_loads 2>/dev/null; then return; fi
  ensure_compiler
  note 'installing npm dependencies'
  (cd "$root" && npm ci --no-audit --no-fund --loglevel=error)
  # npm exits with 0 also where it was told to skip install scripts.
  native_library_loads
  touch "$installed"
}

build() {
  note 'building'
  (cd "$root" && npm run --silent build)
}

# prepare_host: what `./bin/stagerd` and the recipes need. Does nothing where everything is there.
prepare_host() {
  require_root
  require_node
  ensure_programs
  ensure_recipe_programs
  ensure_dependencies
  build
  ensure_engine
}
