// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "static/static.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::static_ipam::plugin(), argc, argv); }
