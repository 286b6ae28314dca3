// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/protocol/request.hpp"

#include "firewall/system_bus.hpp"

namespace cnio::firewall {

// The sources of firewalld's zones, of its runtime configuration: a reload forgets them. A pod's address is a source of
// one address ("10.1.0.5/32"); what comes from a source of the zone "trusted" is accepted.
class Firewalld {
 public:
  // Nothing if it does not run. Error: code 100 if the bus cannot be asked.
  static Result<std::optional<Firewalld>> find(const protocol::Environment& environment);

  // Of one that is there already success. The undo takes back what this call added. Errors: code 7 if there is no such
  // zone, code 103 if it is in another one, else code 100.
  Status add_source(const std::string& zone, const IpAddr& address, Rollback& undo) const;
  [[nodiscard]] Result<bool> has_source(const std::string& zone, const IpAddr& address) const;
  // Out of whichever zone it is in.
  [[nodiscard]] Status remove_source(const IpAddr& address) const;

 private:
  explicit Firewalld(SystemBus bus) : bus_(std::move(bus)) {}

  SystemBus bus_;
};

}  // namespace cnio::firewall
