# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# shellcheck disable=SC2154 # to, conf_dir, tool_dir, force, PLUGINS, CONFIGS, CNI_VERSIONS belong to scripts/install
# The files of an installation, all or nothing. Sourced by scripts/install.
#
#   <to>/.cnio/new       what is to be put in place, while it is gathered and tried out
#   <to>/.cnio/undo      what was there before: exists from before the first file is put in place until after the last,
#                        so who finds it knows that a run was interrupted, and puts it back
#   <to>/.cnio/previous  what --rollback puts back
#   <to>/.cnio/installed digests of all the executables that were ever put in place from here, for --uninstall
# Each of the first three holds bin/<plugin>, conf/<file> and sbin/cnioctl, or bin/<plugin>.absent for what was not there. Folders and files become what
# they are by rename(2), so that killing this at any moment leaves one state or the next. The state is below <to> because
# a rename, like a link, cannot leave a file system.

exists() { [ -e "$1" ] || [ -L "$1" ]; }

# flush <path>...: to the disk. Where sync knows no files it writes everything.
flush() { sync "$@" 2>/dev/null || sync; }

make_folder() { # make_folder <folder>: also remembers what has to go if nothing comes of it
  local parent=$1 message
  while [ ! -d "$parent" ]; do
    made="$made$parent
"
    parent=$(dirname "$parent")
  done
  message=$(mkdir -p "$1" 2>&1) || die "cannot make $1: $message"
}

# For root alone: a lock that others may open is one that others may hold, and keep installations away. Older versions
# made one that everybody could open, and somebody may have it open still, so that one is made anew.
make_state() {
  local message
  make_folder "$to"
  [ -d "$state" ] || made="$state
$made"
  message=$({ { [ -d "$state" ] || mkdir -m 0700 "$state"; } && chmod 0700 "$state"; } 2>&1) ||
    die "cannot make $state: ${message##*: }"
  case $(ls -ld "$state/lock" 2>/dev/null) in '' | -rw-------*) ;; *) rm -rf "$state/lock" ;; esac
  message=$({ (umask 077 && : >>"$state/lock"); } 2>&1) || die "cannot write to $to: ${message##*: }"
}

# Makes the state folder, takes the lock, puts right what an interrupted run left, and from then on cleans up at the end.
open_state() {
  state=$to/.cnio made='' changed=''
  trap 'close_state' EXIT
  trap 'exit 130' INT TERM HUP
  make_state
  exec 9>>"$state/lock"
  # Without flock two at once could take each other back; still no call would find a file missing or half written.
  if command -v flock >/dev/null && ! flock -n 9; then
    trap - EXIT
    die "another installation into $to is running"
  fi
  recover
  mkdir -p "$state/new/bin" "$state/new/conf" "$state/new/sbin" "$state/work"
}

# Also the way of a failure: whatever was exchanged so far goes back.
close_state() {
  local status=$?
  trap '' INT TERM HUP
  set +e
  recover
  if [ "$status" != 0 ] && [ -z "$changed" ]; then
    [ -d "$state/previous" ] || rm -f "$state/lock"
    printf '%s' "$made" | while IFS= read -r folder; do rmdir "$folder" 2>/dev/null; done
    echo 'install: nothing was changed' >&2
  fi
  exit "$status"
}

# recover: after an interrupted or failed exchange all is as before it, and no leftovers remain.
recover() {
  if [ -d "$state/undo" ]; then
    restore "$state/undo" || die "cannot put back what is in $state/undo: do it by hand"
    flush "$to"
  fi
  if [ -d "$state/previous.old" ] && [ ! -d "$state/previous" ]; then
    mv -fT "$state/previous.old" "$state/previous"
  fi
  # new and undo first lose their names: a half removed folder must not be taken for a whole one.
  remove_folder "$state/undo"
  rm -rf "$state/new" "$state/work" "$state/undo.new" "$state/previous.old"
  rm -f "$to"/.*.cnio-new
  rm -f "$conf_dir"/.*.cnio-new "$routes_to"/.*.cnio-new "$(beside "$tool_dir/cnioctl")"
}
remove_folder() {
  if [ -d "$1" ]; then
    rm -rf "$1.gone"
    mv -fT "$1" "$1.gone"
  fi
  rm -rf "$1.gone"
}
beside() { echo "${1%/*}/.${1##*/}.cnio-new"; } # no runtime takes a file of this name for a configuration

# for_each_slot <function> <folder>: calls it with each file of the folder, or the name of one that is absent, and its place
# on the node. What is there counts, not which plugins this script is about: whoever made the folder may have had others.
for_each_slot() {
  local file
  for file in "$2"/bin/* "$2"/sbin/* "$2"/conf/*; do
    exists "$file" || continue
    file=${file%.absent}
    case $file in
      "$2"/bin/*) "$1" "$file" "$to/${file##*/}" || return ;;
      "$2"/sbin/*) "$1" "$file" "$tool_dir/${file##*/}" || return ;;
      *) "$1" "$file" "$conf_dir/${file##*/}" || return ;;
    esac
  done
}

# copy <source> <destination>: with all attributes; a symbolic link stays one. A hard link where possible: needs no space.
copy() {
  if [ -L "$1" ] || ! ln "$1" "$2" 2>/dev/null; then
    cp -pPR "$1" "$2" && flush "$2"
  fi
}

# place <source> <destination>: in one step for whoever looks, and durable.
place() {
  local temporary
  # An interrupted run got this far already; mv refuses what are two names of one file.
  if [ ! -L "$1" ] && [ ! -L "$2" ] && [ "$1" -ef "$2" ]; then return 0; fi
  temporary=$(beside "$2")
  rm -f "$temporary"
  copy "$1" "$temporary" && mv -fT "$temporary" "$2"
}

# restore <folder>: configurations come after the plugins they name, and go before them.
restore() {
  for_each_slot withdraw_config "$1" && for_each_slot restore_one "$1"
}
withdraw_config() {
  case $1 in */conf/*) [ ! -e "$1.absent" ] || rm -f "$2" ;; esac
}
restore_one() {
  if exists "$1"; then
    place "$1" "$2"
  elif [ -e "$1.absent" ]; then
    rm -f "$2"
  fi
}

remember_one() { # into undo.new, if new has something for this place
  local kept
  exists "$1" || [ -e "$1.absent" ] || return 0
  kept=$state/undo.new/${1#"$state/new/"}
  if exists "$2"; then copy "$2" "$kept"; else : >"$kept.absent"; fi
}

# exchange: what is in new comes into place, all of it or nothing; what was there becomes previous.
exchange() {
  mkdir -p "$state/undo.new/bin" "$state/undo.new/sbin" "$state/undo.new/conf"
  for_each_slot remember_one "$state/new" || die 'cannot keep what is there now'
  flush "$state/undo.new/bin" "$state/undo.new/sbin" "$state/undo.new/conf" "$state/undo.new"
  mv -fT "$state/undo.new" "$state/undo"
  flush "$state"
  restore "$state/new" || die 'cannot put everything in place: putting back what was there'
  flush "$to"
  [ ! -d "$conf_dir" ] || flush "$conf_dir"
  [ ! -d "$state/previous" ] || mv -fT "$state/previous" "$state/previous.old"
  mv -fT "$state/undo" "$state/previous" # from here on it is done
  changed=yes
  flush "$state"
}

stage_executables() { # stage_executables <folder>
  local name message
  for name in $PLUGINS; do
    [ -f "$1/$name" ] || die "there is no executable $name in $1"
    [ ! -d "$to/$name" ] || die "$to/$name is a folder"
    message=$({ cp "$1/$name" "$state/new/bin/$name" && chmod 0755 "$state/new/bin/$name"; } 2>&1) ||
      die "cannot copy $1/$name into $to: $message"
  done
  flush "$state"/new/bin/*
}

# stage_tool: cnioctl, where it is not a package's already. A node whose folder for it cannot be written goes without.
stage_tool() {
  local tool
  if [ -z "$with_tool" ] || [ -f "$here/../plugins.txt" ]; then return 0; fi
  tool=$(find_tool 2>/dev/null) || return 0
  if ! { [ -d "$tool_dir" ] || mkdir -p "$tool_dir"; } 2>/dev/null || ! { : >"$(beside "$tool_dir/cnioctl")"; } 2>/dev/null; then
    report note "cnioctl is not put in place: $tool_dir cannot be written"
    return
  fi
  rm -f "$(beside "$tool_dir/cnioctl")"
  { cp "$tool" "$state/new/sbin/cnioctl" && chmod 0755 "$state/new/sbin/cnioctl"; } || die "cannot copy $tool into $to"
  flush "$state/new/sbin/cnioctl"
}

stage_configs() { # stage_configs <cniVersion> <subnets>
  local name message
  make_folder "$conf_dir"
  message=$({ : >"$conf_dir/.cnio-new"; } 2>&1) || die "cannot write to $conf_dir: ${message##*: }"
  rm -f "$conf_dir/.cnio-new"
  for name in $CONFIGS; do node_config "$name" "$1" "$2" >"$state/new/conf/$name"; done
  flush "$state"/new/conf/*
  for name in $CONFIGS; do
    [ -n "$force" ] || ! exists "$conf_dir/$name" || read_ours "$conf_dir/$name" ||
      die "$conf_dir/$name is there and says something else; --force replaces it and keeps a copy"
  done
}

# The previous state is copied: an interrupted rollback must not have used it up.
stage_previous() {
  rm -rf "$state/new"
  cp -pPR "$state/previous" "$state/new" || die "cannot copy $state/previous"
  [ -n "$(ls "$state/new/conf")" ] || return 0
  make_folder "$conf_dir"
}

report_exchanged() { for_each_slot report_one "$state/previous"; }
report_one() {
  if ! exists "$1" && [ ! -e "$1.absent" ]; then return 0; fi
  if exists "$2"; then
    report 'done' "$2"
  elif [ "$action" = roll_back ]; then
    report 'done' "$2: removed, as there was none"
  else
    report 'done' "$2: removed"
  fi
}

digest() { sha256sum <"$1"; }
same() { [ -f "$1" ] && [ "$(digest "$1")" = "$(digest "$2")" ]; }

# unstage_same: leaves in new only what would change something; fails if that is nothing. So installing the same twice,
# as a DaemonSet does whenever its pod starts, does not make the new version its own previous one.
unstage_same() {
  local file
  for_each_slot remove_same "$state/new"
  for file in "$state/new"/*/*; do
    if exists "$file"; then return 0; fi
  done
  return 1
}
remove_same() {
  if ! exists "$1" || ! same "$2" "$1" || [ -L "$2" ]; then return 0; fi
  if [ -x "$1" ] && [ ! -x "$2" ]; then return 0; fi
  rm -f "$1"
}

# previous lasts until the next installation; a configuration somebody wrote by hand is worth more. Of each file the last copy is
# kept; drop_older_backups removes the others when all else is in place.
keep_backups() { for_each_slot keep_backup "$state/new"; }
keep_backup() {
  local kept
  case $1 in */conf/*) exists "$2" && ! read_ours "$2" || return 0 ;; *) return 0 ;; esac
  kept=$2.before-$(digest "$2" | cut -c 1-8)
  exists "$kept" || cp -pPR "$2" "$kept" || die "cannot copy $2"
  printf '%s\n' "$kept" >>"$state/work/kept"
  report note "kept the former ${2##*/} as $kept"
}
drop_older_backups() {
  local kept file
  [ -f "$state/work/kept" ] || return 0
  while IFS= read -r kept; do
    for file in "${kept%.before-*}".before-????????; do
      [ "$file" = "$kept" ] || rm -f "$file"
    done
  done <"$state/work/kept"
}

# record_installed: also what was in place already.
record_installed() {
  local name
  {
    [ ! -f "$state/installed" ] || cat "$state/installed"
    for name in $PLUGINS; do echo "$(digest "$to/$name" | cut -d ' ' -f 1) $name"; done
    [ ! -f "$tool_dir/cnioctl" ] || echo "$(digest "$tool_dir/cnioctl" | cut -d ' ' -f 1) cnioctl"
  } | sort -u >"$state/work/installed"
  same "$state/installed" "$state/work/installed" || mv -fT "$state/work/installed" "$state/installed"
}
was_installed() { # was_installed <file>: by this script, and nobody has changed it since
  [ -f "$1" ] && grep -qxF "$(digest "$1" | cut -d ' ' -f 1) ${1##*/}" "$state/installed" 2>/dev/null
}
