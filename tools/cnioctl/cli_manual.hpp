// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "cnioctl/report.hpp"

namespace CLI {
class App;
}

namespace cnio::cnioctl {

// Adds the verbs that speak of the program itself, which has to have all the others when one of these is run:
// completion, and man-page, which is for scripts/lib/man-pages alone.
void add_manual(CLI::App& app, std::function<Outcome()>& verb);

}  // namespace cnio::cnioctl
