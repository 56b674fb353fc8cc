# shellcheck shell=bash
# The user that stagers and applications run as: UID and GID 99, home directory /app.

# add_runner TREE SHELL
add_runner() {
  local tree=$1 shell=$2
  echo 'runner:x:99:' >>"$tree/etc/group"
  echo "runner:x:99:99:runner:/app:$shell" >>"$tree/etc/passwd"
  # "!" disables the password. The date of its last change is empty, so that builds are reproducible.
  if [[ -e $tree/etc/shadow ]]; then echo 'runner:!::0:99999:7:::' >>"$tree/etc/shadow"; fi
  if [[ -e $tree/etc/gshadow ]]; then echo 'runner:!::' >>"$tree/etc/gshadow"; fi
  install -d -m 0755 -o 99 -g 99 "$tree/app"
}
