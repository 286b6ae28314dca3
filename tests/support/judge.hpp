// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

NLOHMANN_JSON_NAMESPACE_BEGIN
/// How GoogleTest shows a JSON value.
inline void PrintTo(const json& value, std::ostream* out) { *out << value.dump(2); }
NLOHMANN_JSON_NAMESPACE_END

// What the kernel says, asked with `ip -j`, `nft -j` and `bridge -j`: the tests never judge with the code under test.
namespace cnio::test {

using Json = nlohmann::json;

/// Output of `ip -j -d <arguments>`: always a list.
Json ip_json(std::vector<std::string> arguments, const std::string& netns = "");

/// The link's `ip -j -d link show` object, null if there is none of that name.
Json find_link(const std::string& name, const std::string& netns = "");

/// The `addr_info` entries of an interface, link-local IPv6 ones (made by the kernel) left out.
Json addresses(const std::string& name, const std::string& netns = "");

/// "10.1.0.2/24" forms of addresses().
std::vector<std::string> address_texts(const std::string& name, const std::string& netns = "");

/// Routes of all tables with the given destination ("default", "10.0.0.0/8").
Json routes_to(const std::string& destination, const std::string& netns = "", const std::string& family = "-4");

/// The port's attributes from `bridge -j -d link`.
Json bridge_port(const std::string& name, const std::string& netns = "");

/// Names of all links but lo.
std::vector<std::string> link_names(const std::string& netns = "");

/// `nft -j list ruleset` without handles and metainfo, one compact JSON text per object, in order.
std::vector<std::string> nft_objects(const std::string& netns = "");

/// Those of nft_objects() that hold the text.
std::vector<std::string> nft_objects_with(const std::string& text, const std::string& netns = "");

/// The MAC address that a namespace remembers for a neighbour on a link: "none" if the entry has none, "" without
/// entry.
std::string neighbour_mac(const std::string& address, const std::string& link, const std::string& netns = "");

/// One echo request that has to be answered within two seconds.
::testing::AssertionResult ping(const std::string& netns, const std::string& address);

}  // namespace cnio::test
