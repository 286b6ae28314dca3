// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/tuning.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::tuning::plugin(), argc, argv); }
