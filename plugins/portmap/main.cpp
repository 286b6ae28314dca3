// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "portmap/portmap.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::portmap::plugin(), argc, argv); }
