// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/subprocess.hpp"

namespace cnio::test {

/// For debugging: if CNIO_CALLS names a folder, the call of a plugin is written there as a script that makes it again,
/// in the same environment: <process>-<number>-<plugin>-<verb>, with its input beside it, ".in" behind the name. What
/// the script is called with comes in front of the plugin: a debugger, whose input is its user's.
void record_call(const Command& command);

}  // namespace cnio::test
