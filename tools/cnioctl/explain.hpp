// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/protocol/request.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

struct ExplainOptions {
  std::string file;                      // of the network
  std::string plugins = "/opt/cni/bin";  // as CNI_PATH
  std::string ifname = "eth0";
  std::string args = {};                  // CNI_ARGS
  std::string data_dir = "/var/lib/cni";  // where plugins keep what they keep
  bool json = false;
};

// What an ADD of this network would do on this node: it is done, by the plugins themselves, where nothing of it can be
// seen or stays. The node's network is copied into a new namespace, its files are read through a Shadow; what is
// different afterwards is the plan, and what is still different after a DEL is what a DEL leaves. The calling process
// is of no use for anything else afterwards. Found: the ADD fails, or the pod would not work; exit kBlind if it cannot
// be tried here.
Outcome explain_add(const ExplainOptions& options, const protocol::Environment& environment);

}  // namespace cnio::cnioctl
