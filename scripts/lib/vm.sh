# shellcheck shell=bash
# Run the virtual machine of ./scripts/vm-test in QEMU, and commands in it. The caller sets `root`, and traps EXIT to call
# `stop_vm`.
# shellcheck source=messages.sh
source "${root:?}/scripts/lib/messages.sh"

# Of the running machine: its directory, its process, and the number of its starts.
vm_dir='' vm_pid='' vm_starts=0
# kvm or tcg.
vm_accelerator=''
# The value of SECONDS at which commands in the machine are ended. The caller sets it.
vm_deadline=0

ensure_qemu() {
  case $(uname -m) in
    x86_64) vm_qemu=qemu-system-x86_64 vm_machine=(-machine q35) ;;
    aarch64) vm_qemu=qemu-system-aarch64 vm_machine=(-machine virt) ;;
    *) die "the virtual machine is for x86_64 and aarch64." ;;
  esac
  ensure_commands "$vm_qemu=${vm_qemu/x86_64/x86}" mke2fs=e2fsprogs ssh=openssh-client
  vm_console=ttyS0
  if [[ $vm_qemu == *aarch64 ]]; then vm_console=ttyAMA0; fi
}

# choose_accelerator IMAGE: sets `vm_accelerator`. /dev/kvm can be there and run no kernel, so one is started: it has to get
# as far as its first line.
choose_accelerator() {
  local log
  vm_accelerator=tcg
  [[ -w /dev/kvm ]] || return 0
  log=$(mktemp)
  # Without an initrd and a disk, the kernel panics, which ends QEMU.
  # QEMU may abort: a shell in between keeps that to itself.
  bash -c 'timeout --signal=KILL 20 "$@"; exit 0' - "$vm_qemu" "${vm_machine[@]}" -accel kvm -cpu host -m 512 -nodefaults \
    -display none -no-reboot -serial "file:$log" -kernel "$1/kernel" -append "console=$vm_console panic=-1" \
    </dev/null >/dev/null 2>&1
  if grep -q 'Linux version' "$log"; then vm_accelerator=kvm; fi
  rm "$log"
}

# start_vm IMAGE: on a disk whose changes are lost at the end. Returns before the machine is up: await_vm.
start_vm() {
  # The kernel measures the counter of an emulated processor when it boots, which goes wrong by a factor of ten where the host
  # is busy: time would race, and units would be over theirs.
  local image=$1 cpu=(-accel "tcg,thread=multi,tb-size=1024" -cpu max) clock='clocksource=hpet tsc=unstable nowatchdog'
  if [[ $vm_accelerator == kvm ]]; then cpu=(-accel kvm -cpu host) clock=''; fi
  vm_dir=$(mktemp -d /tmp/stagerd-vm.XXXXXX)
  : >"$vm_dir/console"
  vm_port=$(free_port)
  # The image may be made again while this machine runs.
  vm_key=$vm_dir/key
  install -m 0600 "$image/key" "$vm_key"
  vm_starts=1
  setpriv --pdeathsig KILL "$vm_qemu" "${vm_machine[@]}" "${cpu[@]}" -smp 2 -m 3072 -nodefaults -display none \
    -serial "file:$vm_dir/console" -monitor "unix:$vm_dir/monitor,server,nowait" \
    -kernel "$image/kernel" -initrd "$image/initrd" \
    -append "root=/dev/vda rw console=$vm_console net.ifnames=0 mitigations=off audit=0 loglevel=4 $clock" \
    -drive "file=$image/disk,if=virtio,format=raw,cache=unsafe,snapshot=on" -device virtio-rng-pci \
    -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$vm_port-:22" -device virtio-net-pci,netdev=net \
    </dev/null >"$vm_dir/qemu.log" 2>&1 &
  vm_pid=$!
}

# Until the machine has said as many times that it is up, as it was started.
await_vm() {
  until (($(grep -c 'vm-test: up in' "$vm_dir/console") >= vm_starts)); do
    vm_lives || die "QEMU has ended: $(cat "$vm_dir/qemu.log")"
    ((SECONDS < vm_deadline)) || { tail -n 20 "$vm_dir/console" >&2 && die 'the virtual machine is not up in time.'; }
    sleep 1
  done
  # Its first connection is slow where the processor is emulated; later commands use the same.
  until vm_ssh true 2>/dev/null; do
    ((SECONDS < vm_deadline)) || die 'the virtual machine does not answer at its SSH port.'
    sleep 1
  done
}

vm_lives() {
  kill -0 "$vm_pid" 2>/dev/null
}

free_port() {
  node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })"
}

vm_ssh() {
  timeout $((vm_deadline > SECONDS ? vm_deadline - SECONDS : 1)) \
    ssh -F none -i "$vm_key" -p "$vm_port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -o ConnectTimeout=120 -o ControlMaster=auto -o "ControlPath=$vm_dir/ssh" -o ControlPersist=yes root@127.0.0.1 "$@"
}

# in_vm STEP ARGUMENT...: a step of vm-guest.
in_vm() {
  vm_ssh bash -s "$@" <"$root/scripts/lib/vm-guest"
}

# Like the reset button: what the machine has not written to its disk is lost.
reset_vm() {
  vm_starts=$((vm_starts + 1))
  node -e "const s = require('net').connect('$vm_dir/monitor', () => s.write('system_reset\n')).once('data', () => s.end())"
  ssh -F none -o "ControlPath=$vm_dir/ssh" -O exit root@127.0.0.1 >/dev/null 2>&1 || true
  rm -f "$vm_dir/ssh"
}

stop_vm() {
  [[ -n $vm_dir ]] || return 0
  ssh -F none -o "ControlPath=$vm_dir/ssh" -O exit root@127.0.0.1 >/dev/null 2>&1 || true
  if [[ -n $vm_pid ]]; then
    kill -KILL "$vm_pid" 2>/dev/null || true
    wait "$vm_pid" 2>/dev/null || true
  fi
  rm -rf "$vm_dir"
  vm_dir='' vm_pid=''
}
