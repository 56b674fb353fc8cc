# shellcheck shell=bash
# Buildpacks that are named by URL.

# fetch_buildpack URL DIR: a repository of Git, with #BRANCH or #TAG after it, or a tarball.
fetch_buildpack() {
  local url=$1 dir=$2 ref='' options=(--depth 1 --recurse-submodules --shallow-submodules) entries
  [[ $url =~ ^(https?|git)://[^[:space:]]+$ ]] || fail "The buildpack \"${url%%:*}:…\" has no URL that can be fetched: write https://HOST/PATH, or git://HOST/PATH."
  [[ ! $url =~ ^[a-z]+://[^/]*@ ]] || fail 'The URL of the buildpack has credentials, which would become part of the package: add it with "stagectl buildpack add".'
  say "Fetching the buildpack $url"
  _stager_own "${dir%/*}"
  mkdir "$dir"
  if [[ ${url%%[?#]*} =~ \.(tar|tgz|tar\.(gz|xz|bz2|zst))$ ]]; then
    env -u STAGER_URL curl -fsSL --proto '=http,https' --proto-redir '=http,https' --max-redirs 5 -o "$dir.tar" "$url" || fail_to_fetch
    tar -xf "$dir.tar" -C "$dir" --no-same-owner || fail 'The buildpack is no tarball that can be unpacked: see above.'
    rm "$dir.tar"
  else
    if [[ $url == *#* ]]; then
      ref=${url##*#} url=${url%%#*}
      [[ $ref =~ ^[A-Za-z0-9_][A-Za-z0-9._/-]*$ ]] || fail "\"$ref\" is not the name of a branch or a tag."
      options+=(--branch "$ref")
    fi
    env -u STAGER_URL GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=http:https:git git -c core.hooksPath=/dev/null clone --quiet "${options[@]}" -- \
      "$url" "$dir" || fail_to_fetch
    rm -rf "$dir/.git"
  fi
  # An archive of a repository has it in a directory.
  entries=("$dir"/*)
  if [[ ! -e $dir/bin && ${#entries[@]} == 1 && -d ${entries[0]} ]]; then
    mv "${entries[0]}" "$dir.moved" && rm -rf "$dir" && mv "$dir.moved" "$dir"
  fi
  chmod -R u+rwX,go+rX "$dir"
}

fail_to_fetch() { fail 'The buildpack cannot be fetched: see above. The stager needs egress, and a URL that is public.'; }
