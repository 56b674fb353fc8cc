# shellcheck shell=bash
# Build the Debian package from the parts that parts.sh has made. The caller sets `root` to the checkout, and calls
# `make_parts` before.
# shellcheck disable=SC2154 # what make_parts sets
# shellcheck source=lay-out.sh
source "${root:?}/scripts/lib/lay-out.sh"

# build_debian_package DIRECTORY: sets `package_file`.
build_debian_package() {
  local work version architecture
  version=$("$node_home/bin/node" -p "require('$root/package.json').version")
  architecture=$(dpkg --print-architecture)
  export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/package.json")}
  mkdir -p "$1"
  package_file=$(cd "$1" && pwd)/stagerd_${version}_$architecture.deb
  work=$(mktemp -d "$parts/package.XXXXXX")
  fill_package "$work/root" "$version" "$architecture"
  # Files get the owner root. xz is what dpkg of every supported distribution reads.
  dpkg-deb --root-owner-group -Zxz --build "$work/root" "$package_file" >/dev/null
  rm -rf "$work"
}

# fill_package ROOT VERSION ARCHITECTURE
fill_package() {
  local to=$1 version=$2 architecture=$3 script
  chmod 0755 "$(dirname "$to")"
  mkdir -m 0755 "$to"
  (umask 022 && zsh_functions=vendor-completions lay_out "$to" /usr /usr/lib/systemd/system)
  strip --strip-unneeded "$to/usr/lib/stagerd/bin/node" "$to"/usr/lib/stagerd/node_modules/better-sqlite3/build/Release/*.node
  write_debian_documents "$to" "$version"
  install -d -m 0755 "$to/DEBIAN"
  write_control "$to" "$version" "$architecture"
  for script in preinst postinst prerm postrm; do
    sed "s/@STATE_VERSION@/$(state_version)/; s/@VERSION@/$version/" "$root/packaging/debian/$script" >"$to/DEBIAN/$script"
    chmod 0755 "$to/DEBIAN/$script"
  done
  echo /etc/stagerd/stagerd.toml >"$to/DEBIAN/conffiles"
  (cd "$to" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) >"$to/DEBIAN/md5sums"
  chmod 0644 "$to"/DEBIAN/{control,conffiles,md5sums}
  # The same input gives the same package.
  find "$to" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# The version of the database that this stagerd writes: that of its last migration.
state_version() {
  sed -n 's/^  { version: \([0-9]*\),.*/\1/p' "$root/daemon/store/sqlite/migrations.ts" | tail -n 1
}

# write_debian_documents ROOT VERSION: what a package of Debian has beside the files of an installation.
write_debian_documents() {
  local share=$1/usr/share
  install -D -m 0644 "$root/packaging/debian/lintian-overrides" "$share/lintian/overrides/stagerd"
  place "$root/packaging/debian/copyright" "$share/doc/stagerd/copyright"
  gzip -9n <"$node_home/LICENSE" >"$share/doc/stagerd/node-license.gz"
  {
    printf 'stagerd (%s) unstable; urgency=medium\n\n' "$2"
    printf '  * Version %s of stagerd.\n\n -- %s  %s\n' "$2" "$(maintainer)" "$(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")"
  } | gzip -9n >"$share/doc/stagerd/changelog.gz"
  find "$share/man" -type f -exec gzip -9n {} +
}

maintainer() {
  echo "${DEBFULLNAME:-stagerd developers} <${DEBEMAIL:-stagerd@users.noreply.example.org}>"
}

# write_control ROOT VERSION ARCHITECTURE
write_control() {
  local to=$1 libraries
  libraries=$(libraries_of "$to")
  sed "s|@VERSION@|$2|; s|@ARCHITECTURE@|$3|; s|@MAINTAINER@|$(maintainer)|; s|@LIBRARIES@|$libraries|
    s|@SIZE@|$(du -sk --apparent-size --exclude=DEBIAN "$to" | cut -f1)|" "$root/packaging/debian/control" >"$to/DEBIAN/control"
}

# The packages of the libraries that Node.js and the compiled library load, with the versions that have the symbols.
libraries_of() (
  local to=$1
  mkdir -p "$to/../shlibdeps/debian"
  cd "$to/../shlibdeps" || die "there is no place for the libraries of the package."
  printf 'Source: stagerd\n\nPackage: stagerd\nArchitecture: any\n' >debian/control
  dpkg-shlibdeps -O "$to/usr/lib/stagerd/bin/node" "$to"/usr/lib/stagerd/node_modules/better-sqlite3/build/Release/*.node 2>/dev/null |
    sed 's/^shlibs:Depends=//'
)
