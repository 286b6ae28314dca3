# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# Whether executables and kernel are good for the work. Sourced by scripts/install, and again inside the namespaces in
# which it tries the executables out.

# verify_executables <folder>: they are programs for this machine, whole enough to start, what their names say, and
# of one version.
verify_executables() {
  local name version='' first='' message
  for name in ${PLUGINS:?}; do
    [ -f "$1/$name" ] || die "there is no executable $name in $1"
    verify_machine "$1/$name" "$name"
    message=$(CNI_COMMAND='' timeout 20 "$1/$name" 2>&1 </dev/null) ||
      die "$name: does not start, it may be damaged: ${message:-no message}"
    version=$(printf '%s\n' "$message" | sed -n "s/^CNI $name plugin \(v[^ ]*\)\$/\1/p")
    [ -n "$version" ] || die "$name: is not cnio's $name, it says: $message"
    [ "${first:=$version}" = "$version" ] || die "$name: is $version, but the others are $first"
    message=$(echo '{"cniVersion": "1.1.0"}' | CNI_COMMAND=VERSION timeout 20 "$1/$name" 2>&1) ||
      die "$name: VERSION failed: $message"
  done
  report ok "executables: $PLUGINS $version"
}

# Looks into the file's header, because a node may run foreign executables in an emulator, which is not what is wanted.
verify_machine() { # verify_machine <file> <name>
  local header expected
  header=$(od -An -tx1 -N20 "$1" | tr -d ' \n')
  case $header in 7f454c46*) ;; *) die "$2: is no executable" ;; esac
  expected=$(machine_code)
  [ -z "$expected" ] || [ "$(printf '%s' "$header" | cut -c 37-40)" = "$expected" ] ||
    die "$2: is for another kind of machine, not for $(uname -m)"
}
# The two bytes e_machine of an ELF header; nothing for machines that are not known here.
machine_code() {
  case $(uname -m) in
    x86_64) echo 3e00 ;;
    i?86) echo 0300 ;;
    aarch64) echo b700 ;;
    armv[678]*) echo 2800 ;;
    riscv64) echo f300 ;;
    ppc64le) echo 1500 ;;
    s390x) echo 0016 ;;
  esac
}

# call <plugin folder> <plugin> <command> <scratch folder> <configuration>: leaves what it said in $answer, and if that is
# an error, its sentence in $reason.
call() {
  local status=0
  printf '%s\n' "$5" >"$4/configuration"
  CNI_COMMAND=$3 CNI_PATH=$1 timeout 60 "$1/$2" <"$4/configuration" >"$4/answer" 2>"$4/errors" || status=$?
  answer=$(cat "$4/answer")
  reason=$(printf '%s\n' "$answer" | sed -n 's/^ *"\(msg\|details\)": "\(.*\)"\(,\|\)$/\2/p' |
    sed 's/\\"/"/g; 2s/^/; /' | tr -d '\n')
  [ -n "$reason" ] || reason="exit status $status $answer $(cat "$4/errors")"
  return "$status"
}

# verify_subnets <plugin folder> <subnets> <scratch folder>: host-local itself says whether it could give addresses.
verify_subnets() {
  call "$1" host-local STATUS "$3" "$(bridge_config 1.1.0 "$2" "$3/networks")" || die "--subnet: $reason"
}

# verify_in_namespaces <kernel or all> <plugin folder> <scratch folder> <subnets>: asks and tries out in a network and a
# mount namespace that end with it. Reports in words.
verify_in_namespaces() {
  local message
  message=$(unshare -n -m --propagation private true 2>&1) ||
    die "cannot make namespaces to try the plugins out in: $message; --no-verify installs without"
  # shellcheck disable=SC2154,SC2016 # lib belongs to scripts/install; the inner shell expands
  PLUGINS="$PLUGINS" cluster="$cluster" mtu="$mtu" elsewhere="$elsewhere" unshare -n -m --propagation private /bin/sh -c '
    set -eu
    report() { printf "  %-8s %s\n" "$@"; }
    . "$1/install-config.sh"
    . "$1/install-verify.sh"
    shift
    look_inside "$@"' install "$lib" "$@" || die 'this node is not ready, see above'
}

# In the namespaces: the scratch folder is covered, so that nothing in there outlives them; and /run, if the plugins would
# make their folder in it.
look_inside() {
  case $2:$3 in /run/* | *:/run/*) ;; *) [ -d /run/cnio ] || mount -t tmpfs -o mode=0755 cnio-install /run ;; esac
  mount -t tmpfs -o mode=0700 cnio-install "$3"
  look_at_kernel "$2" "$3" "$4" || return
  [ "$1" = kernel ] || try_out "$2" "$3" "$4"
}

# look_at_kernel <plugin folder> <scratch folder> <subnets>: asks the plugins, by STATUS, rather than guessing from names
# of modules. Fails if something is missing that every pod needs.
look_at_kernel() {
  local release status=0
  release=$(uname -r)
  ask "$1" "$2" required 'bridges and veth pairs' "$(layer2_config)" || status=1
  ask "$1" "$2" required "addresses from $3, and NAT for them" "$(bridge_config 1.1.0 "$3" "$2/networks")" || status=1
  ask "$1" "$2" optional 'VLAN filtering, for the keys vlan and vlanTrunk' "$(layer2_config '"vlan": 5')"
  ask "$1" "$2" optional 'rules on bridges, for the key macspoofchk' "$(layer2_config '"macspoofchk": true')"
  [ -d /proc/sys/net/ipv6 ] || report missing 'IPv6 (optional)'
  if is_older "$release" 5 10; then report note "Linux $release is older than 5.10, the oldest that is tested"; fi
  return "$status"
}
is_older() { # is_older <release> <major> <minor>
  local major=${1%%.*} rest=${1#*.}
  [ "$major" -lt "$2" ] || { [ "$major" = "$2" ] && [ "${rest%%[!0-9]*}" -lt "$3" ]; }
}

layer2_config() {
  printf '{"cniVersion": "1.1.0", "name": "check", "type": "bridge", "bridge": "cnio0"%s}' "${1:+, $1}"
}

ask() { # ask <plugin folder> <scratch folder> <required or optional> <what> <configuration>
  if call "$1" bridge STATUS "$2" "$5"; then
    report ok "kernel: $4"
  elif [ "$3" = optional ]; then
    report missing "kernel: $4 (optional): $reason"
  else
    report missing "kernel: $4: $reason"
    return 1
  fi
}

# try_out <plugin folder> <scratch folder> <subnets>: a pod gets its network, is checked and loses it again.
try_out() {
  local config
  export CNI_CONTAINERID=dry-run CNI_NETNS="$2/pod" CNI_IFNAME=lo
  : >"$CNI_NETNS"
  unshare --net="$CNI_NETNS" true
  try "$1" loopback ADD "$2" "$(loopback_config 0.4.0)" || return
  CNI_IFNAME=eth0
  config=$(bridge_config 0.4.0 "$3" "$2/networks")
  try "$1" bridge ADD "$2" "$config" || return
  config=$(bridge_config 0.4.0 "$3" "$2/networks" "$answer")
  try "$1" bridge CHECK "$2" "$config" || return
  try "$1" bridge DEL "$2" "$config" || return
  nothing_left "$2" || return
  report ok 'dry run: a pod got its network and lost it again, in namespaces of its own'
}

try() { # as call
  call "$@" && return
  report failed "dry run: $3 of $2: $reason"
  return 1
}

nothing_left() { # nothing_left <scratch folder>
  local left
  left=$(grep -o 'veth[0-9a-f]*' /proc/net/dev || true)
  left="$left $(grep -l dry-run "$1"/networks/bridge/* 2>/dev/null || true)"
  [ -n "${left# }" ] || return 0
  report failed "dry run: after DEL there is still $left"
  return 1
}
