// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "host-local/host_local.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::host_local::plugin(), argc, argv); }
