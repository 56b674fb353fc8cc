# shellcheck shell=bash
# Make the disk of the virtual machine of ./scripts/vm-test, natively, and cache what it is made from: the newest suite
# of Debian with its kernel, the package of stagerd, and the exchange file of a bootstrapped node. Needs the Docker Engine of
# the host and the programs of the checkout. The caller sets `root`.
# shellcheck source=machine-tree.sh
source "${root:?}/scripts/lib/machine-tree.sh"
# shellcheck source=daemon.sh
source "${root:?}/scripts/lib/daemon.sh"

vm_cache=${STAGERD_VM_CACHE:-$root/.cache/vm}
# What the disk has for the tests, and where.
vm_inputs=/opt/vm-test
# The pipelines that the exchange file contains.
vm_pipelines=(nodejs)

# ensure_vm_image: sets `vm_image` to a directory with the files disk, kernel and initrd.
ensure_vm_image() {
  local tree package exchange key new
  mkdir -p "$vm_cache"
  tree=$(vm_tree) || exit 1
  package=$(vm_package) || exit 1
  exchange=$(vm_exchange_file) || exit 1
  key=$({
    echo "$tree $package $exchange"
    digest_of base cli isolation daemon examples images test package.json vitest.config.ts scripts/lib/vm-image.sh scripts/lib/vm-image-root
  } | sha256sum | cut -c1-16)
  vm_image=$vm_cache/image-$key
  [[ ! -e $vm_image ]] || return 0
  forget_others image "$key"
  note 'making the disk' >&2
  new=$vm_cache/new-image
  rm -rf --one-file-system "$new"
  mkdir "$new"
  fill_inputs "$new/inputs" "$package"
  (furnish_node "$new" "$exchange") >"$vm_cache/state.log" 2>&1 || vm_image_failed "$vm_cache/state.log"
  in_layers "$tree" "$new" "$root/scripts/lib/vm-image-root" disk "$new" >"$vm_cache/image.log" 2>&1 || vm_image_failed "$vm_cache/image.log"
  cp "$tree"/boot/vmlinuz-* "$new/kernel"
  cp "$tree"/boot/initrd.img-* "$new/initrd"
  rm -rf --one-file-system "$new"/{inputs,state,upper,work}
  mv "$new" "$vm_image"
}

# digest_of PATH...: of the files below these paths of the checkout.
digest_of() {
  (cd "$root" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
}

# forget_others KIND KEY: removes what was made from other inputs.
forget_others() {
  find "$vm_cache" -maxdepth 1 -name "$1-*" ! -name "$1-$2*" -exec rm -rf --one-file-system {} +
}

vm_image_failed() {
  tail -n 20 "$1" >&2
  die "the disk of the virtual machine cannot be made: see $1."
}

# Prints the directory of the tree of a machine (machine-tree.sh), with a kernel and an SSH server in addition.
vm_tree() {
  local base key new=$vm_cache/new-tree
  base=$(machine_tree current) || return 1
  key=$({
    echo "${base##*/}"
    digest_of scripts/lib/vm-image-root
  } | sha256sum | cut -c1-16)
  if [[ ! -e $vm_cache/tree-$key ]]; then
    note 'installing the kernel of the virtual machine' >&2
    forget_others tree "$key"
    rm -rf --one-file-system "$new"
    mkdir "$new"
    # The contents: the tree may be behind a symbolic link.
    cp -a --reflink=auto "$base/." "$new/"
    "$root/scripts/lib/vm-image-root" kernel "$new" >"$vm_cache/tree.log" 2>&1 || vm_image_failed "$vm_cache/tree.log"
    mv "$new" "$vm_cache/tree-$key"
  fi
  echo "$vm_cache/tree-$key"
}

# Prints the Debian package of this checkout. Its documents are those of the checkout when it was made.
vm_package() {
  local key new=$vm_cache/new-package
  key=$(digest_of base bin cli daemon examples images isolation packaging stagers package.json package-lock.json scripts/package \
    scripts/lib/{parts,lay-out,debian-package}.sh scripts/lib/{bundle,cached-program}.js)
  if [[ ! -e $vm_cache/package-$key.deb ]]; then
    note "making the package (log: $vm_cache/package.log)" >&2
    forget_others package "$key"
    rm -rf "$new"
    "$root/scripts/package" --no-lint --output "$new" >"$vm_cache/package.log" 2>&1 || vm_image_failed "$vm_cache/package.log"
    mv "$new"/*.deb "$vm_cache/package-$key.deb"
  fi
  echo "$vm_cache/package-$key.deb"
}

# Prints the exchange file of a bootstrapped node.
vm_exchange_file() {
  local key
  key=$(digest_of images stagers daemon/bootstrap)
  if [[ ! -e $vm_cache/node-$key.cntmp ]]; then
    note "bootstrapping a node for its exchange file (log: $vm_cache/node.log)" >&2
    forget_others node "$key"
    "$root/scripts/bootstrap-file" "$vm_cache/new.cntmp" "${vm_pipelines[@]}" >"$vm_cache/node.log" 2>&1 || vm_image_failed "$vm_cache/node.log"
    mv "$vm_cache/new.cntmp" "$vm_cache/node-$key.cntmp"
  fi
  echo "$vm_cache/node-$key.cntmp"
}

# furnish_node DIRECTORY EXCHANGE: makes DIRECTORY/state, the state directory of a node that has taken the exchange file, with
# the stagers of the tests. Nothing has been launched there: the machine unpacks the layers and makes the root images.
furnish_node() {
  local dir=$1
  trap stop_daemon EXIT
  start_daemon "$dir/state"
  "$root/bin/stagectl" bootstrap --from "$2"
  "$root/images/build" busybox --output "$dir/busybox.tar.gz"
  "$root/bin/stagectl" package from-file "$dir/busybox.tar.gz" /apcera/pkg/os::busybox --provides os.busybox
  mkdir "$dir/stager"
  # The source is the script that it runs.
  cat >"$dir/stager/stage" <<'STAGER'
#!/bin/sh
post() { wget -q -O /dev/null --post-data='' "$STAGER_URL/$1"; }
cd /tmp
wget -q -O - "$STAGER_URL/data" | tar -xz
. ./act
post done
STAGER
  chmod 0755 "$dir/stager/stage"
  create_stager small-site --path "$root/examples/stagers/small-site"
  create_stager scripted --path "$dir/stager"
  create_stager limited --path "$dir/stager" --memory 64MB --pids 40 --disk 20MB --timeout 20m
  rm -r "$dir/stager" "$dir/busybox.tar.gz"
}

create_stager() {
  "$root/bin/stagectl" stager create "$@" --start-command ./stage --depends-on os.busybox --pipeline
}

# fill_inputs DIRECTORY PACKAGE: what the tests use. The law of snapshots runs from a copy of the checkout.
fill_inputs() {
  local to=$1 work=$1/work version
  mkdir -p "$to/checkout" "$work"
  cp "$2" "$to/stagerd.deb"
  (cd "$root" && cp -R base isolation daemon test node_modules package.json vitest.config.ts "$to/checkout/")
  # A version to upgrade to. Not compressed: the emulated machine would take minutes to unpack it.
  dpkg-deb --raw-extract "$2" "$work/new"
  version=$(sed -n 's/^Version: //p' "$work/new/DEBIAN/control")
  sed -i "s/^Version: .*/Version: $version+next/" "$work/new/DEBIAN/control"
  dpkg-deb --root-owner-group -Znone --build "$work/new" "$to/next.deb" >/dev/null
  rm -rf "$work"
}

# in_layers TREE DIRECTORY COMMAND...: with TREE below DIRECTORY/upper and DIRECTORY/inputs, mounted at DIRECTORY/root in a
# mount namespace of its own.
in_layers() {
  local tree=$1 dir=$2
  shift 2
  mkdir -p "$dir/upper$vm_inputs" "$dir/work" "$dir/root"
  # shellcheck disable=SC2016
  unshare --mount --propagation private bash -ec '
    export LIBMOUNT_FORCE_MOUNT2=always
    mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
    mount --bind "$2/inputs" "$2/root$3"
    shift 3
    "$@"' - "$tree" "$dir" "$vm_inputs" "$@"
}
