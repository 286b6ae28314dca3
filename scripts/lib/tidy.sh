#!/usr/bin/env bash
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# tidy.sh <build folder> <source file> [<checks>]: clang-tidy for one file, or for one that CMake has made of several. <checks> is
# what --checks adds to those of .clang-tidy. Passes at once if the file, all sources and the settings are what they were when it
# last passed: it takes up to half a minute for each file that includes JSON.
set -euo pipefail
folder=$1 source=$(realpath "$2") checks=${3-}

key=$({
  echo "$checks"
  cat .clang-tidy "$source"
  { find include src plugins tools -name '*.hpp' -print0; sed -n 's/^#include "\(.*\.cpp\)"$/\1/p' "$source" | tr '\n' '\0'; } | sort -z | xargs -0 cat
  jq -c --arg source "$source" 'first(.[] | select(.file == $source)) | .command' "$folder/compile_commands.json"
} | sha256sum | cut -d' ' -f1)
stamp=$folder/tidy/$key
[[ ! -e $stamp ]] || exit 0

# Headers that were precompiled by another compiler than clang 14, or not yet, are read as everybody reads them. Into sources
# that another includes the analyzer looks only if that one is called UnifiedSource (clang's AnalysisManager::isInCodeFile).
commands=$(mktemp -d)
trap 'rm -rf "$commands"' EXIT
looked_at=$source
if [[ $source == */Unity/* ]]; then
  looked_at=$commands/UnifiedSource.cxx
  cp "$source" "$looked_at"
  cp .clang-tidy "$commands"
fi
jq --arg source "$source" --arg looked_at "$looked_at" '[first(.[] | select(.file == $source)) | .file = $looked_at |
  .command |= gsub($source; $looked_at) |
  .command |= gsub("-Xclang -include(-pch)? -Xclang [^ ]*cmake_pch\\.hxx(\\.pch)? |-include [^ ]*cmake_pch\\.hxx |-Winvalid-pch "; "")]' \
  "$folder/compile_commands.json" >"$commands/compile_commands.json"
clang-tidy-14 -p "$commands" --quiet ${checks:+"--checks=$checks"} "$looked_at"
mkdir -p "$folder/tidy"
touch "$stamp"
