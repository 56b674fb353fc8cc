# shellcheck shell=bash
# Run a machine of its own beside the host: a tree of a distribution (machine-tree.sh) in namespaces, with systemd as
# process 1, its own Docker Engine, and this checkout. The caller sets `root`, and traps EXIT to call `stop_machine`.
# docs/decisions/0045-machines-in-namespaces.md
# shellcheck source=machine-tree.sh
source "${root:?}/scripts/lib/machine-tree.sh"

# Of the running machine: its directory, process 1, the process in whose mount namespace commands run, and its network.
machine_dir='' machine_init='' machine_world='' machine_launcher='' machine_network=''
# What machines from this tree keep: the modules of npm and the programs for their Node.js, and the roots that images/build
# made there.
machine_kept=''

# start_machine TREE: on a copy of TREE that ends with the machine. The caller may change the copy before: prepare_machine.
start_machine() {
  [[ -n $machine_dir ]] || prepare_machine "$1"
  local launch=(unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child)
  # The service manager of the host gives a group with controllers, if it has cgroup v2.
  if [[ -d /run/systemd/system && $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
    launch=(systemd-run --quiet --scope --property=Delegate=yes "${launch[@]}")
  fi
  # Ends with this process, even if it is killed. A session of its own keeps Ctrl-C from it.
  setsid setpriv --pdeathsig KILL "$root/scripts/lib/machine-groups" "$machine_dir" "${launch[@]}" \
    "$root/scripts/lib/machine-init" "$machine_dir" "$1" "$root" "$machine_kept" </dev/null >"$machine_dir/log" 2>&1 &
  machine_launcher=$!
  await_machine "$machine_dir/init" 30
  machine_init=$(<"$machine_dir/init")
  start_machine_network
  await_machine "$machine_dir/world" 30
  machine_world=$(<"$machine_dir/world")
  # systemd answers when its services have started; one that failed is no reason to stop.
  local deadline=$((SECONDS + 120)) state
  until state=$(in_machine systemctl is-system-running 2>/dev/null) || [[ $state == degraded ]]; do
    if ! machine_lives || ((SECONDS >= deadline)); then machine_failed; fi
    sleep 0.2
  done
}

# prepare_machine TREE: makes the directory of the machine, without starting it. What is in $machine_dir/upper appears
# in its root.
prepare_machine() {
  ensure_commands slirp4netns=slirp4netns unshare=util-linux setpriv=util-linux
  sweep_machines
  machine_kept=${1##*/}
  # Without the digest of the tree.
  machine_kept=$machine_cache/kept-${machine_kept%-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]*}
  # One machine at a time changes it. Released when this process ends.
  mkdir -p "$machine_kept"
  exec {machine_kept_lock}>"$machine_kept/lock"
  if ! flock --nonblock "$machine_kept_lock"; then
    note "waiting for another machine ($machine_kept/lock)" >&2
    flock "$machine_kept_lock"
  fi
  mkdir -p "$machine_kept"/{node_modules,dist,images} "$root"/{node_modules,dist}
  machine_dir=$(mktemp -d "$machine_cache/run-XXXXXX")
  # Held until the end of this process and of the machine.
  exec {machine_lock}>"$machine_dir/lock"
  flock "$machine_lock"
  mkdir "$machine_dir"/{upper,work,root,tmp}
  chmod 1777 "$machine_dir/tmp"
  # Its kernel log: journald must be able to wait for it, and systemd to open it, which needs a reader.
  mkfifo "$machine_dir/kmsg"
  exec {machine_kmsg}<>"$machine_dir/kmsg"
  # An overlay cannot lie on another: what Docker and stagerd keep is on the disk.
  cp -a --reflink=auto "$1/var" "$machine_dir/var"
}

# set_image_store overlay2|containerd: of the Docker Engine of a prepared machine.
set_image_store() {
  local settings='{ "storage-driver": "overlay2" }'
  if [[ $1 == containerd ]]; then settings='{ "features": { "containerd-snapshotter": true } }'; fi
  mkdir -p "$machine_dir/upper/etc/docker"
  echo "$settings" >"$machine_dir/upper/etc/docker/daemon.json"
}

# The machines of runs that were killed.
sweep_machines() {
  local dir
  for dir in "$machine_cache"/run-??????; do
    [[ -d $dir ]] || continue
    if flock --nonblock "$dir/lock" true 2>/dev/null; then remove_machine "$dir"; fi
  done
}

# remove_machine DIRECTORY: of one whose processes have ended.
remove_machine() {
  local group deadline=$((SECONDS + 20))
  while read -r group; do
    # The kernel removes killed processes from a group one after another.
    until [[ ! -d $group ]] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do
      ((SECONDS < deadline)) || break
      sleep 0.1
    done
  done < <(cat "$1/groups" 2>/dev/null)
  rm -rf --one-file-system "$1"
}

# Through the sockets of a process on the host: that needs neither addresses nor firewall rules there.
start_machine_network() {
  setpriv --pdeathsig KILL slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=3 \
    "$machine_init" tap0 3>"$machine_dir/network" >"$machine_dir/network.log" 2>&1 </dev/null &
  machine_network=$!
  await_machine "$machine_dir/network" 30
}

# await_machine FILE SECONDS: until something is in FILE.
await_machine() {
  local deadline=$((SECONDS + $2))
  until [[ -s $1 ]]; do
    if ! machine_lives || ((SECONDS >= deadline)); then machine_failed; fi
    sleep 0.05
  done
}

machine_lives() {
  kill -0 "$machine_launcher" 2>/dev/null
}

machine_failed() {
  tail -n 20 "$machine_dir"/*log >&2
  in_machine journalctl --no-pager --lines 30 2>/dev/null >&2 || true
  die 'the machine did not start.'
}

# in_machine COMMAND...: in the namespaces of the machine, but as no service of it: for short commands of systemd.
in_machine() {
  nsenter --target "${machine_init:-0}" --mount --net --pid --ipc --uts --cgroup --wd=/ \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

# run_in_machine COMMAND...: as a service of the machine, in the checkout. Returns the exit code of COMMAND.
run_in_machine() {
  local settings=(NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
    npm_config_cafile=/etc/ssl/certs/ca-certificates.crt npm_config_nodedir=/usr/local/lib/node_modules/node
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
    "STAGERD_DEBIAN_MIRROR=$(machine_mirror)" "STAGERD_IMAGE_CACHE=$machine_kept/images")
  in_machine systemd-run --quiet --pipe --wait --collect --property=KillMode=control-group --property=LimitNOFILE=65536 \
    --property=Delegate=yes --working-directory=/ "${settings[@]/#/--setenv=}" \
    nsenter --mount="/proc/$machine_world/ns/mnt" --wd="$root" "$@" </dev/null
}

# stop_machine: ends all of its processes, and removes what it left.
stop_machine() {
  [[ -n $machine_dir ]] || return 0
  if [[ -n $machine_init ]]; then kill -KILL "$machine_init" 2>/dev/null || true; fi
  if [[ -n $machine_launcher ]]; then
    kill -KILL "$machine_launcher" 2>/dev/null || true
    wait "$machine_launcher" 2>/dev/null || true
  fi
  if [[ -n $machine_network ]]; then
    kill "$machine_network" 2>/dev/null || true
    wait "$machine_network" 2>/dev/null || true
  fi
  remove_machine "$machine_dir"
  exec {machine_lock}>&- {machine_kept_lock}>&- {machine_kmsg}>&-
  machine_dir='' machine_init='' machine_launcher='' machine_network=''
}
