# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# shellcheck disable=SC2034,SC2154 # options, to, conf_dir, state, from, and what this leaves belong to scripts/install
# shellcheck disable=SC2153 # NETWORK, BRIDGE, CONFIG are of install-config.sh
# What pods of this node get: subnets, the cluster's ranges, MTU; and what other files and running pods have to do with it.
# Sourced by scripts/install. cnioctl reckons with addresses and reads files of other programs; this only asks it.

# The kubelet's own limit if nobody says another (maxPods): a subnet of a cluster's node has to have room for as many.
DEFAULT_PODS=110

# find_tool: cnioctl, beside this script, in the release build, in the unpacked archive, where it was put, or of a package.
find_tool() {
  local file
  for file in "$here/cnioctl" "$here/../build/release/bin/cnioctl" "$here/../cnioctl" "$here/cnio/cnioctl" "$from/cnioctl" "$tool_dir/cnioctl"; do
    if [ -f "$file" ]; then
      absolute "$file"
      return
    fi
  done
  command -v cnioctl || die 'there is no cnioctl, which looks at subnets: it is in the archive, the package and the release build'
}

# ask_tool <argument>...: its answer, and its findings as ours; an error of it ends this.
ask_tool() { "$tool" "$@" || die "$tool $1${2:+ $2}: see above"; }

# plan_network: leaves what the options say in subnets, cluster, mtu and elsewhere. Without a cluster the pods of a node are
# for themselves, as ever, and have the kernel's MTU.
plan_network() {
  tool=$(find_tool) || exit
  [ -z "$subnet_file" ] || take_subnet_file
  if [ -n "$cluster" ] && [ -z "$subnet_file" ]; then
    write_scratch "$1" --pods "${pods:-$DEFAULT_PODS}" --mtu "${mtu:-auto}" --overlay "$(overlay)"
    take_show "$1"
  fi
}

# write_scratch <file> <option>...: the subnets as a file for cnioctl, which says what is wrong with them.
write_scratch() {
  local file=$1
  shift
  rm -f "$file"
  "$tool" subnet write "$file" --cluster "$(commas "${cluster:-$subnets}")" --subnet "$(commas "$subnets")" \
    ${uplink:+--uplink "$uplink"} --data-dir "${file%/*}/none" "$@" >"$file.said" 2>&1 ||
    die "--cluster, --subnet: $(sed 's/^cnioctl: //' "$file.said")"
}
commas() { printf '%s' "$*" | tr ' ' ','; }

take_subnet_file() {
  local given=$cluster said
  said=$("$tool" subnet check "$subnet_file" --pods "${pods:-$DEFAULT_PODS}" 2>&1) ||
    die "--subnet-file: $(printf '%s\n' "$said" | sed 's/^cnioctl: //')"
  take_show "$subnet_file"
  # shellcheck disable=SC2086 # words
  [ -z "$given" ] || [ "$(sorted $given)" = "$(sorted $cluster)" ] || die "--cluster: $given, but $subnet_file has $cluster"
}

sorted() { printf '%s\n' "$@" | sort; }

take_show() { # take_show <file>
  local said
  said=$(ask_tool subnet show "$1") || exit
  cluster=$(shown cluster "$said") subnets=$(shown subnet "$said")
  mtu=$(shown mtu "$said") elsewhere=$(shown ipmasq "$said" | sed '/false/d')
}
shown() { printf '%s\n' "$2" | sed -n "s/^$1 //p" | tr -d ','; }

# overlay: what takes room of the pods' packets.
overlay() {
  case $routes in
    flannel) echo vxlan ;;
    wireguard) echo wireguard ;;
    *) echo none ;;
  esac
}

# adopt_network: for a look at the node as it is.
adopt_network() {
  read_ours "$conf_dir/$CONFIG" || return 0
  network=$conf_dir/$CONFIG
  subnets=$ours_subnets cluster=$ours_cluster mtu=$ours_mtu elsewhere=$ours_elsewhere
}

# look_at_node <scratch file>: would it carry these pods? Fails if not.
look_at_node() {
  local said status=0
  write_scratch "$1" --pods 1 --mtu "${mtu:-1500}"
  said=$("$tool" subnet check "$1" --here --pods 1 --bridge "$BRIDGE" --overlay "$(overlay)" ${uplink:+--uplink "$uplink"}) || status=$?
  printf '%s\n' "$said" | sed -n 's/^node: \([a-z]*\): \(.*\)/\1 \2/p' | while read -r level text; do
    report "$level" "node: $text"
  done
  if [ "$status" = 1 ]; then die 'this node is not ready, see above'; fi
  [ "$status" = 3 ] || report ok "node: pods of $subnets can be reached"
}

# require_pods_stay: pods that run keep their network, or this is not done.
require_pods_stay() {
  local said status=0 file=$state/work/pods.env
  rm -f "$file"
  said=$("$tool" subnet write "$file" --dry-run --pods "${pods:-1}" --mtu "${mtu:-1500}" --cluster "$(commas "${cluster:-$subnets}")" \
    --subnet "$(commas "$subnets")" --network "$NETWORK" --replaces "$conf_dir/$CONFIG" --data-dir "$STORE" 2>&1) || status=$?
  [ "$status" != 0 ] || return 0
  case $said in cnioctl:*) die "--subnet: ${said#cnioctl: }" ;; esac
  printf '%s\n' "$said" | sed "s|^$file: |  |" >&2
  [ -z "$with_pods" ] || return 0
  [ "$status" != 3 ] || die "it cannot be seen which pods run: put right what is named above, or say --with-pods"
  die 'pods run that would lose their network, see above: remove them first, or say --with-pods'
}

# judge_others: runtimes are to use our file, and no other network is to give its addresses. What does not agree is set
# aside or left alone, as the options say, or nothing is done.
judge_others() {
  local said
  if said=$(look_at_others "$state/new/conf/$CONFIG"); then
    show_others "$said"
    return
  fi
  show_others "$said"
  case $others in
    keep) report note "$conf_dir: other files stay as they are" ;;
    aside) set_aside "$said" ;;
    *) die "$conf_dir: see above: remove or rename what you do not want, or say --others aside or --others keep" ;;
  esac
}

# look_at_others <our file>: says what is to be said of the others in the folder; fails if one is in the way.
look_at_others() {
  local status=0
  (cd "$conf_dir" && "$tool" lint . --with "$1" 2>&1) || status=$?
  [ "$status" != 1 ]
}
show_others() { [ -z "$1" ] || printf '%s\n' "$1" | sed 's|^\./||; s/^/  /'; }

# ask_about_others: of --status. A node on which cnioctl is not to be had says so.
ask_about_others() {
  local said
  if ! tool=$(find_tool 2>/dev/null); then
    report note "$conf_dir: whether other files there are in the way is not known, for want of cnioctl"
    return
  fi
  if said=$(look_at_others "$conf_dir/$CONFIG"); then
    show_others "$said"
    return
  fi
  show_others "$said"
  [ "$others" = keep ] || die "$conf_dir: see above: pods get another network than that of $CONFIG, or its addresses"
}

set_aside() { # set_aside <findings>
  local name plain='^\./\([A-Za-z0-9._-]*\): error: .*'
  [ -z "$(printf '%s\n' "$1" | sed -n "\\|$plain|d; /: error: /p")" ] || die "$conf_dir: see above: rename it by hand"
  for name in $(printf '%s\n' "$1" | sed -n "s|$plain|\1|p" | sort -u); do : >"$state/new/conf/$name.absent"; done
}

# stage_routes: what is wrong with the input or with the folder is said before anything is changed, and the files lie beside their
# places then. Some hold a secret.
stage_routes() {
  local file
  mkdir -p "$state/work/routes"
  make_folder "$routes_to"
  routes_subnets=$subnets routes_cluster=$cluster routes_uplink=${uplink:-$(default_uplink)}
  routes_mtu=$((mtu + $([ "$routes" = wireguard ] && echo 80 || echo 0)))
  if [ -n "$password_file" ]; then
    routes_password=$(head -n 1 "$password_file" 2>/dev/null) || die "--bgp-password-file: cannot read $password_file"
  fi
  (umask 077 && render_routes "$routes" "$state/work/routes" >/dev/null) || exit
  for file in "$state/work/routes"/*; do
    [ ! -f "$file" ] || copy "$file" "$(beside "$routes_to/${file##*/}")" 2>/dev/null || die "cannot write to $routes_to"
  done
}

# default_uplink: the interface of the default route, as the kernel lists it, of IPv6 if there is none of IPv4; nothing if there is none
# at all. Of IPv4's eight columns the second is the destination, and the last is its mask; of IPv6's ten the first two are the
# destination, and the last is the interface, lo for what is unreachable.
default_uplink() {
  {
    sed -nE 's/^([^[:space:]]+)[[:space:]]00000000([[:space:]][^[:space:]]+){5}[[:space:]]00000000[[:space:]].*/\1/p' /proc/net/route
    sed -nE 's/^0{32} 00 ([^[:space:]]+[[:space:]]+){7}([^[:space:]]+)$/\2/p' /proc/net/ipv6_route | grep -vx lo
  } 2>/dev/null | head -n 1
}

write_routes() {
  local file
  for file in "$state/work/routes"/*; do
    [ ! -f "$file" ] || mv -fT "$(beside "$routes_to/${file##*/}")" "$routes_to/${file##*/}" ||
      die "cannot write to $routes_to, all else is in place"
  done
  flush "$routes_to"
  printf '\nroutes to other nodes, by %s:\n' "$routes"
  how_to_start "$routes" "$routes_to"
}
