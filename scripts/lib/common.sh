# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What scripts/demo, scripts/test and scripts/test-vm share. Sourced, never run; the caller has set -euo pipefail.

# Only the first configuration of a build folder looks at this; an existing folder keeps its generator.
export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"

# What building needs, with and without the tests.
# shellcheck disable=SC2034 # used by the scripts that source this file
BUILD_PACKAGES=(g++ cmake ninja-build pkg-config nlohmann-json3-dev libnl-3-dev libnl-route-3-dev libre2-dev libgtest-dev
  libgmock-dev)
# What the tests call, and what virtual machines need besides.
# shellcheck disable=SC2034 # likewise
TEST_PACKAGES=(iproute2 iputils-ping nftables iptables conntrack containernetworking-plugins tcpdump busybox-static jq curl util-linux
  diffutils dnsmasq-base)
# shellcheck disable=SC2034 # likewise
VM_PACKAGES=(qemu-system-x86 xz-utils)
# Whole runtimes and nodes: tests/system.
# shellcheck disable=SC2034 # likewise
SYSTEM_PACKAGES=(containerd runc podman conmon python3-grpcio python3-grpc-tools python3-yaml golang-go
  golang-github-appc-cni-dev g++-aarch64-linux-gnu qemu-user-static strace linux-libc-dev fish zsh systemd)

# What nodes tell each other of their pods with: unpacked by scripts/lib/fetch-engines, never installed.
# shellcheck disable=SC2034 # likewise
ENGINE_PACKAGES=(bird2 frr wireguard-tools wireguard-go)

# shellcheck disable=SC2034 # likewise
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  # shellcheck disable=SC2034
  BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

die() {
  printf '%s%s: %s%s\n' "$RED" "${0##*/}" "$*" "$PLAIN" >&2
  exit 1
}

need_root() {
  [[ $(id -u) == 0 ]] || die "needs root, for network namespaces: sudo scripts/${0##*/}"
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# install_missing <package>...: asks apt-get for those that are not there; says nothing if all are.
install_missing() {
  local package missing=()
  if ! command -v dpkg-query apt-get >/dev/null; then
    echo "no apt-get here: taking for granted what these Debian packages hold: $*"
    return
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  logged apt-get update -q -o Acquire::Retries=3
  logged apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 "${missing[@]}"
}

# logged <command>...: runs it silently; only if it fails, shows all it said.
logged() {
  local log status=0
  log=$(mktemp)
  "$@" </dev/null >"$log" 2>&1 || status=$?
  if ((status)); then
    cat "$log"
    printf '%sfailed with status %s: %s%s\n' "$RED" "$status" "$*" "$PLAIN" >&2
  fi
  rm -f "$log"
  return "$status"
}

# plugins_of <build folder>: their names, as CMake wrote them there, one a line.
plugins_of() {
  cut -d ' ' -f 1 "$1/plugins.txt"
}

# Under sudo the build folder would belong to root, and the next build without sudo would fail.
give_build_back() {
  [[ -n ${SUDO_UID:-} && -d build ]] || return 0
  chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" build
}
