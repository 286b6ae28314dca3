// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "flannel/flannel.hpp"

int main(int argc, char** argv) { return cnio::protocol::plugin_main(cnio::flannel::plugin(), argc, argv); }
