// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bandwidth/bandwidth.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::bandwidth::plugin(), argc, argv); }
