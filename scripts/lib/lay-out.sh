# shellcheck shell=bash
# Lay out an installation from the parts that parts.sh has made. The caller sets `root` to the checkout, and calls
# `make_parts` before.
# shellcheck disable=SC2154 # root, and what make_parts sets: node_home, native and documents

# lay_out ROOT PREFIX UNITS: puts the files into ROOT (empty for this host): programs below PREFIX, /usr or /usr/local, and
# the unit into the directory UNITS. Existing settings stay.
lay_out() {
  local to=$1 prefix=$2 units=$3 lib=$1$2/lib/stagerd module=node_modules/better-sqlite3
  # What an earlier version had is removed; the names that lead here stay the same.
  rm -rf "$lib"
  install -d "$lib/bin" "$lib/dist" "$lib/$module/build/Release" "$to$prefix/bin" "$to$prefix/sbin"
  install -m 0755 "$root/bin/stagerd" "$root/bin/stagectl" "$lib/bin/"
  install -m 0755 "$node_home/bin/node" "$lib/bin/node"
  cp -R "$root/dist/programs" "$lib/dist/"
  cp -R "$root/images" "$root/stagers" "$root/package.json" "$root/LICENSE" "$lib/"
  cp -R "$native/$module/lib" "$native/$module/package.json" "$native/$module/LICENSE" "$lib/$module/"
  install -m 0644 "$native/$module/build/Release/better_sqlite3.node" "$lib/$module/build/Release/"
  cp -R "$native/node_modules/bindings" "$native/node_modules/file-uri-to-path" "$lib/node_modules/"
  rm -rf "$lib"/node_modules/file-uri-to-path/{test,.[!.]*}
  ln -sfn ../lib/stagerd/bin/stagectl "$to$prefix/bin/stagectl"
  ln -sfn ../lib/stagerd/bin/stagerd "$to$prefix/sbin/stagerd"

  place "$root/packaging/stagerd.sysusers" "$to$prefix/lib/sysusers.d/stagerd.conf"
  install -d "$to$units"
  sed "s|/usr/sbin/|$prefix/sbin/|; s|/usr/bin/|$prefix/bin/|" "$root/packaging/stagerd.service" >"$to$units/stagerd.service"
  [[ -e $to/etc/stagerd/stagerd.toml ]] || place "$root/packaging/stagerd.toml" "$to/etc/stagerd/stagerd.toml"
  lay_out_documents "$to$prefix/share"
  # The modes of the checkout depend on who has made it.
  chmod -R u=rwX,go=rX "$lib"
}

# lay_out_documents SHARE
lay_out_documents() {
  local share=$1 page
  for page in "$documents"/man/*; do place "$page" "$share/man/man${page##*.}/${page##*/}"; done
  place "$documents/completion/bash" "$share/bash-completion/completions/stagectl"
  place "$documents/completion/fish" "$share/fish/vendor_completions.d/stagectl.fish"
  # Where zsh of the distribution looks first, and where one in /usr/local does.
  place "$documents/completion/zsh" "$share/zsh/${zsh_functions:-site-functions}/_stagectl"
  install -d "$share/doc/stagerd"
  cp -R "$root/README.md" "$root/docs" "$root/examples" "$share/doc/stagerd/"
  # To start from, for the setting seccomp-profile: that of the daemon is part of its program.
  cp "$root/isolation/engine/seccomp.json" "$share/doc/stagerd/"
  chmod -R u=rwX,go=rX "$share/doc/stagerd"
}

place() {
  install -D -m 0644 "$1" "$2"
}

# remove_layout ROOT PREFIX UNITS: removes what `lay_out` has put there, except the settings.
remove_layout() {
  local to=$1 prefix=$2 units=$3 share=$1$2/share
  rm -rf "$to$prefix/lib/stagerd" "$share/doc/stagerd"
  rm -f "$to$prefix/bin/stagectl" "$to$prefix/sbin/stagerd" "$to$prefix/lib/sysusers.d/stagerd.conf" \
    "$to$units/stagerd.service" "$share/bash-completion/completions/stagectl" \
    "$share/fish/vendor_completions.d/stagectl.fish" "$share/zsh/site-functions/_stagectl" \
    "$share"/man/man1/stagectl{,-*}.1 "$share/man/man8/stagerd.8" "$share/man/man5/stagerd.toml.5"
}
