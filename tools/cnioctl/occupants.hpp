// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/protocol/request.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// An address that a container has, as host-local's reservations say, whichever implementation made them.
struct Occupant {
  IpAddr address;
  std::string network;
  protocol::Attachment holder;
  std::string pod = {};  // "default/web-7f9c", where libcni's cache knows it

  // "10.240.1.5 default/web-7f9c (c1/eth0)".
  [[nodiscard]] std::string text() const;
};

struct StorePlaces {
  std::string data_dir;   // host-local's: a folder for each network
  std::string cache_dir;  // libcni's
};

// Of all networks, by network and address, but for those that this machine reserved before it was started the last
// time. `report` gains what could not be looked at.
std::vector<Occupant> list_occupants(const StorePlaces& places, Report& report);

// "10.240.1.5 default/web (c1/eth0), ... and 3 more".
std::string list_text(const std::vector<Occupant>& occupants);

}  // namespace cnio::cnioctl
