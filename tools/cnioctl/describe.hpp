// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnio/protocol/json.hpp"
#include "cnio/protocol/request.hpp"

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

// What is said of one attachment, by whichever verb.
namespace cnio::cnioctl {

// "default/web-7f9c" as {"namespace": "default", "name": "web-7f9c"}; null if it is empty.
protocol::Json pod_json(const std::string& pod);
protocol::Json describe(const Attached& attached, const Facts& facts);
// A block of lines.
std::string describe_text(const Attached& attached, const Facts& facts);

// May a person mean it by this? Its ID, the beginning of that, or "ID/interface".
bool is_called(const protocol::Attachment& attachment, std::string_view text);

// "10.240.1.17, fd01::11"; "-" if there are none.
std::string addresses_text(const Attached& attached);
// "10.240.1.1/24, fd01::1/64"; without what a link has by itself.
std::string link_addresses(const net::Link& link, const NodeFacts& node);
// "mynet, other"; and "masquerade nftables, not to 10.240.0.0/16", or nothing.
std::string networks_of_bridge(const net::Link& bridge, const Facts& facts);
std::string masquerade_text(const Setup& setup);
// "10.240.2.0/24 via 192.168.1.12 dev eth0".
std::string route_text(const NodeRoute& route);
// "tcp 192.0.2.1:8080 -> 80".
std::string port_text(const firewall::PortMapping& port);
// "2026-11-28 00:26:41", UTC.
std::string time_text(long long seconds);

// What could not be looked at, for standard error; and how a verb ends that has found something, or nothing.
std::string blind_text(const Report& blind);
Outcome outcome_of(const Facts& facts, bool found, std::string out);

}  // namespace cnio::cnioctl
