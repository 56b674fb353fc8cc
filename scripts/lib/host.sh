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

# Installs a PostgreSQL for the tests, which start one of their own. The package would make a cluster and have it started.
ensure_postgresql() {
  local without=/etc/postgresql-common/createcluster.d/stagerd-tests.conf
  if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then return; fi
  mkdir -p "${without%/*}"
  printf 'create_main_cluster = false\n' >"$without"
  note 'installing postgresql'
  apt_install postgresql
  # From now on, what the administrator asks for is what is made.
  rm "$without"
}

# Installs the object store of the tests, OpenStack Swift, whose programs are modules of Python.
ensure_object_store() {
  ensure_commands /usr/lib/python3/dist-packages/swift/proxy/server.py=python3-swift
}

# Installs what gives a program of the tests a wrong clock.
ensure_faketime() {
  ensure_commands faketime=faketime
}

# better-sqlite3 is compiled where its prebuilt binary cannot be downloaded.
ensure_compiler() {
  ensure_commands python3=python3 make=make g++=g++
}

native_library_loads() {
  node "$root/scripts/lib/check-native-library.js"
}

# Installs the packages of npm, without their native libraries.
ensure_npm_packages() {
  local installed=$root/node_modules/.package-lock.json
  if [[ -e $installed && ! $root/package-lock.json -nt $installed ]]; then return; fi
  note 'installing npm dependencies'
  (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  touch "$installed"
}

# Of all install scripts, only that of better-sqlite3 is needed. npm 11 also runs those that package.json does not allow:
# they compile libraries for SSH, which takes half a minute. SQLite is no faster with -O3, which takes half as long again to
# compile (docs/decisions/0092-what-a-test-costs.md).
ensure_native_library() {
  # It may be for another major version of Node.js.
  if native_library_loads 2>/dev/null; then return; fi
  ensure_compiler
  note 'installing the native library of better-sqlite3'
  (cd "$root" && JOBS=max CFLAGS=-O2 npm rebuild --ignore-scripts=false --loglevel=error better-sqlite3)
  # npm exits with 0 even when its configuration skips install scripts.
  native_library_loads
}

ensure_dependencies() {
  ensure_npm_packages
  ensure_native_library
}

# With STAGERD_BUILT, whoever runs this script has built the programs, and runs others beside it that use them.
build() {
  if [[ -n ${STAGERD_BUILT:-} ]]; then return; fi
  note 'building'
  (cd "$root" && npm run --silent build)
}

# prepare_host_without_build: installs what `./bin/stagerd` and the recipes need, but compiles nothing, and ensures a
# running Engine.
prepare_host_without_build() {
  require_root
  require_node
  ensure_programs
  ensure_recipe_programs
  ensure_npm_packages
  ensure_engine
}

prepare_host() {
  prepare_host_without_build
  ensure_native_library
  build
}
