// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/base/result.hpp"
#include "cnio/ipam/subnet_file.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::flannel {

// One network gives out a node's subnet. host-local keeps what it has given by network, so a second one would give the
// same addresses again. Which network it is stands in a file for each subnet, in kRunFolder/subnets, and goes with the
// machine's end, as the pods do; a network that has no records in its `dataDir` any more has no say.
//
// Of two networks that ask at the same moment at most one gets it. REQUIRES: the attachment has been recorded in
// `data_dir`. A host that cannot keep such files does without, and a note says so. Errors: code 103.
Status claim_subnets(const protocol::Request& request, const std::string& data_dir, const ipam::NodeSubnets& subnets);

}  // namespace cnio::flannel
