#!/usr/bin/env bash
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# tidy.sh <build folder> <source file>: clang-tidy for one file. Passes at once if the file, all headers and the
# settings are what they were when it last passed: it takes up to half a minute for each file that includes JSON.
set -euo pipefail
folder=$1 source=$2

key=$({
  cat .clang-tidy "$source"
  find include src plugins tools -name '*.hpp' -print0 | sort -z | xargs -0 cat
  jq -c --arg source "$PWD/$source" '.[] | select(.file == $source) | .command' "$folder/compile_commands.json"
} | sha256sum | cut -d' ' -f1)
stamp=$folder/tidy/$key
[[ ! -e $stamp ]] || exit 0

clang-tidy-14 -p "$folder" --quiet "$source"
mkdir -p "$folder/tidy"
touch "$stamp"
