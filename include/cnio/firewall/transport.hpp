// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnio::firewall {

// IPPROTO_* of a name in any case or a number: TCP, UDP, SCTP, DCCP and UDP-Lite, which have ports in the same place.
std::optional<uint8_t> parse_transport(std::string_view text);
std::string transport_name(uint8_t protocol);

}  // namespace cnio::firewall
