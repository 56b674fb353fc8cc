# shellcheck shell=bash
# The user as which stagers and applications run: uid and gid 99, at home in /app.

# add_runner TREE SHELL
add_runner() {
  local tree=$1 shell=$2
  echo 'runner:x:99:' >>"$tree/etc/group"
  echo "runner:x:99:99:runner:/app:$shell" >>"$tree/etc/passwd"
  # No password ("!"), and no date of change, which would differ from build to build.
  if [[ -e $tree/etc/shadow ]]; then echo 'runner:!::0:99999:7:::' >>"$tree/etc/shadow"; fi
  if [[ -e $tree/etc/gshadow ]]; then echo 'runner:!::' >>"$tree/etc/gshadow"; fi
  install -d -m 0755 -o 99 -g 99 "$tree/app"
}
