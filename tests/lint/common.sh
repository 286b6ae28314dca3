# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the checks share. Each check takes a source tree, prints one line for each finding and fails if there is any.

# files <tree> <find expression>...: the project's own files, without what was built or belongs to git.
files() {
  local tree=$1
  shift
  find "$tree" \( -name .git -o -path "$tree/build" -o -path "$tree/.cache" \) -prune -o -type f \( "$@" \) -print |
    sort
}

# listed_plugins <tree>: their names, one a line. The sources' own list, for a tree need not be configured to be checked.
listed_plugins() {
  sed -nE 's/^cnio_add_plugin\(([^ )]+).*/\1/p' "$1/plugins/CMakeLists.txt"
}

listed_tools() { # listed_tools <tree>
  sed -nE 's/^cnio_add_tool\(([^ )]+).*/\1/p' "$1/tools/CMakeLists.txt"
}

# layers <tree>: a line "<layer> <layer>..." for each layer, with those that it may include, from src/CMakeLists.txt.
layers() {
  awk '/^cnio_add_layer\(/ {
    gsub(/[()]/, " ")
    may = ""
    for (i = 3; i <= NF; i++) if (sub(/^cnio_/, "", $i)) may = may " " $i may_[$i]
    may_[$2] = may
    print $2 may
  }' "$1/src/CMakeLists.txt"
}

# verdict <findings>: prints them; they are the answer.
verdict() {
  [[ -z $1 ]] && return 0
  printf '%s\n' "$1" >&2
  return 1
}
