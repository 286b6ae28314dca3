# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# shellcheck disable=SC2154 # to, conf_dir, tool_dir, state, with_pods belong to scripts/install
# Takes an installation away for good. Sourced by scripts/install.

uninstall() {
  [ -d "$to/.cnio" ] || die "$to: nothing was installed from here"
  open_state
  [ -f "$state/installed" ] || die "$to: there is no record of what was installed: an older version did it. Install this one first"
  [ -n "$with_pods" ] || require_no_pods 'what is removed cannot remove what they have'
  stage_removal
  exchange
  report_exchanged
  name_backups
  forget_installation
}

# name_backups: what was kept of others' configurations, and is not in its place again.
name_backups() {
  local file
  for file in "$conf_dir"/*.before-????????; do
    exists "$file" || continue
    if same "${file%.before-*}" "$file"; then
      rm -f "$file"
    else
      report note "$file stays, somebody else's that had to go: mv $file ${file%.before-*} brings it back"
    fi
  done
}

# Only what was put there from here, and only as it was put there: a configuration that somebody has changed is theirs.
stage_removal() {
  local file name
  for file in "$to"/*; do
    ! was_installed "$file" || : >"$state/new/bin/${file##*/}.absent"
  done
  ! was_installed "$tool_dir/cnioctl" || : >"$state/new/sbin/cnioctl.absent"
  for name in $CONFIGS; do
    if read_ours "$conf_dir/$name"; then
      : >"$state/new/conf/$name.absent"
    elif exists "$conf_dir/$name"; then
      report note "$conf_dir/$name stays, since it was changed"
    fi
  done
}

# What was there before is not needed any more. The lock goes last, with its folder: whoever waited for it makes another.
forget_installation() {
  rm -rf "$state/previous.old"
  remove_folder "$state/previous"
  rm -rf "$state/new" "$state/work"
  rm -f "$state/installed" "$state/lock"
  rmdir "$state" 2>/dev/null || true
}
