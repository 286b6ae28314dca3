// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/json.hpp"
#include "cnio/protocol/version.hpp"

// The result of ADD in the shape of the newest specification version; older shapes are read into it and written from it
// (CNI 1.1.0, section 5, "ADD Success").
namespace cnio::protocol {

struct Interface {
  std::string name;
  std::string mac;             // empty: not given
  std::optional<int64_t> mtu;  // 1.1.0 only
  std::string sandbox;         // CNI_NETNS as passed; empty: on the host
  std::string socket_path;     // 1.1.0 only
  std::string pci_id;          // 1.1.0 only
};

struct IpConfig {
  Cidr address;  // host bits kept
  std::optional<IpAddr> gateway;
  std::optional<size_t> interface;  // index into AddResult::interfaces
};

struct Route {
  Cidr dst;
  std::optional<IpAddr> gw;
  std::optional<int64_t> mtu;       // bytes
  std::optional<int64_t> advmss;    // bytes
  std::optional<int64_t> priority;  // lower is preferred
  std::optional<int64_t> table;
  std::optional<int64_t> scope;  // rtnetlink(7): 0 global, 253 link, 254 host
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;

  bool operator==(const Dns&) const = default;
  [[nodiscard]] bool empty() const {
    return nameservers.empty() && domain.empty() && search.empty() && options.empty();
  }
};

struct AddResult {
  std::vector<Interface> interfaces;
  std::vector<IpConfig> ips;
  std::vector<Route> routes;
  Dns dns;
};

// Reads a result in the shape of `version`. Errors carry `code` and name the key; `what` is "prevResult", or the
// delegate.
Result<AddResult> parse_result(const Json& value, SpecVersion version, const std::string& what, Code code);

// Reads a delegate's answer, whose own cniVersion (or `config_version`, if it has none) selects the shape.
// Errors: code 101 for what is not a result.
Result<AddResult> parse_delegate_result(std::string_view text, SpecVersion config_version, const std::string& delegate);

// Reads the `prevResult` of a configuration: nothing if absent. Its cniVersion may be absent, or of the same group of
// shapes as the configuration's. Errors: code 7.
Result<std::optional<AddResult>> parse_prev_result(const Fields& whole, SpecVersion config_version);

// Reads the routes of a configuration, or a dns object.
Result<std::vector<Route>> parse_routes(const Fields& config, std::string_view key);
Result<Dns> parse_dns(const Fields& fields);
// A list of routes as one writes it in a configuration.
Json format_routes(const std::vector<Route>& routes);

// The text that ADD prints, in the shape of `version`. Error: code 2 if the shape cannot say it: before 0.3.0 a result
// holds at most one address of each family, and needs one.
Result<std::string> format_result(const AddResult& result, SpecVersion version);
// Could it? For who has something to change first. Error: as above.
Status check_result(const AddResult& result, SpecVersion version);

}  // namespace cnio::protocol
