// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::firewall {

// A method of an object on the bus.
struct BusMethod {
  std::string service;
  std::string object;
  std::string interface;
  std::string name;
};

struct BusAnswer {
  bool ok = false;
  std::string text;  // the value, or what the service says against it
};

// The system's message bus, by a program that hosts with one have: busctl (systemd) or dbus-send (dbus). No library for
// it can be linked statically: libdbus needs libsystemd, of which there is none, and all of sd-bus is in that.
class SystemBus {
 public:
  // Nothing if this host has no bus: its socket is not there. DBUS_SYSTEM_BUS_ADDRESS says where it is.
  static std::optional<SystemBus> find(const protocol::Environment& environment);

  // A method that takes texts and answers with one value. Errors: code 100 if there is no program, or it does not end
  // in time; code 101 if it cannot be started.
  [[nodiscard]] Result<BusAnswer> call(const BusMethod& method, const std::vector<std::string>& arguments) const;
  // Has anybody this name on the bus?
  [[nodiscard]] Result<bool> has_owner(const std::string& service) const;

 private:
  SystemBus(std::string busctl, std::string dbus_send, std::vector<std::string> environment)
      : busctl_(std::move(busctl)), dbus_send_(std::move(dbus_send)), environment_(std::move(environment)) {}

  std::string busctl_;  // paths; empty: there is none
  std::string dbus_send_;
  std::vector<std::string> environment_;
};

}  // namespace cnio::firewall
