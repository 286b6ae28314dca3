// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "cnio/base/ip.hpp"

// The keys of a node's subnet file.
namespace cnio::ipam {

struct FamilyKeys {
  Family family;
  std::string_view network;
  std::string_view subnet;
};

// In the order in which they are written.
inline constexpr std::array<FamilyKeys, 2> kFamilyKeys = {{
    {Family::kIpv4, "FLANNEL_NETWORK", "FLANNEL_SUBNET"},
    {Family::kIpv6, "FLANNEL_IPV6_NETWORK", "FLANNEL_IPV6_SUBNET"},
}};
inline constexpr std::string_view kMtuKey = "FLANNEL_MTU";
inline constexpr std::string_view kMasqueradeKey = "FLANNEL_IPMASQ";

}  // namespace cnio::ipam
