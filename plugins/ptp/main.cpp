// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/plugin.hpp"

#include "ptp/ptp.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::ptp::plugin(), argc, argv); }
