// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/plugin.hpp"

#include "loopback/loopback.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::loopback::plugin(), argc, argv); }
