// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/firewall.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::pod_firewall::plugin(), argc, argv); }
