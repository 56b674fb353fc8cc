# shellcheck shell=bash
# The service of an installation, for ./scripts/install and ./scripts/uninstall.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

# Both would have one service, one socket and one state directory.
refuse_beside_package() {
  if [[ $(dpkg-query --show --showformat='${db:Status-Status}' stagerd 2>/dev/null) == installed ]]; then
    die "the package stagerd is installed: remove it with 'apt-get remove stagerd' first, or use 'apt-get' instead of this script."
  fi
}

has_manager() {
  [[ -d /run/systemd/system ]]
}

# Installs what the daemon runs, and what a bootstrap runs.
ensure_runtime() {
  ensure_commands dockerd=docker.io iptables=iptables ip=iproute2 tar=tar bzip2=bzip2 xz=xz-utils zstd=zstd getfattr=attr \
    unshare=util-linux mount=mount pigz=pigz igzip=isal debootstrap=debootstrap gpgv=gpgv wget=wget curl=curl \
    /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring
}

# The daemon lets running stagings end for as long as `drain-timeout` says. The new one continues the others.
stop_service() {
  if has_manager && systemctl cat stagerd.service >/dev/null 2>&1; then systemctl stop stagerd.service; fi
}

disable_service() {
  if has_manager; then systemctl --quiet disable stagerd.service 2>/dev/null || true; fi
}

reload_manager() {
  if has_manager; then systemctl daemon-reload; fi
}

start_service() {
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers stagerd.conf
  elif ! getent group stagerd >/dev/null; then
    groupadd --system stagerd
  fi
  if ! has_manager; then
    note 'there is no systemd: start /usr/local/sbin/stagerd yourself'
    return
  fi
  reload_manager
  systemctl --quiet enable stagerd.service
  systemctl start stagerd.service || die "stagerd did not start: see 'journalctl -u stagerd'."
  note 'the service runs: stagectl node status'
}

# A cache in Docker. An Engine that does not answer keeps them.
remove_root_images() {
  local node
  node=$(cat /var/lib/stagerd/node-id 2>/dev/null) || return 0
  command -v docker >/dev/null || return 0
  docker image ls --quiet --filter "label=io.stagerd.node=$node" 2>/dev/null | sort -u |
    xargs --no-run-if-empty docker image rm --force >/dev/null 2>&1 || true
}

remove_group() {
  if getent group stagerd >/dev/null; then groupdel stagerd; fi
}
