// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// Addresses of links through RTM_*ADDR messages: linux/if_addr.h.
namespace cnio::net {

struct Address {
  Cidr cidr;  // host bits kept
  uint8_t scope = 0;
  bool tentative = false;   // IPv6: duplicate address detection is not done
  bool dad_failed = false;  // IPv6: someone else has it
  bool learned = false;     // IPv6: from a router advertisement
  bool permanent = false;   // neither learned nor given for a time
};

// Of a link that is gone: none.
Result<std::vector<Address>> list_addresses(Netlink& route, const Link& link,
                                            std::optional<Family> family = std::nullopt);

// An address and the link that has it.
struct OwnedAddress {
  IfIndex owner = IfIndex::kNone;
  Address address;
};
// Of all links of the host.
Result<std::vector<OwnedAddress>> list_addresses(Netlink& route, std::optional<Family> family = std::nullopt);

enum class DuplicateDetection { kOff, kOn };
// Does the kernel make a route to the address's own network (without IFA_F_NOPREFIXROUTE)?
enum class PrefixRoute { kMade, kNone };

// Adds an address, IPv4 with its broadcast address. IPv6 is usable at once unless detection is on.
Status add_address(Netlink& route, const Link& link, const Cidr& cidr, DuplicateDetection detection,
                   PrefixRoute prefix_route = PrefixRoute::kMade);
// An address that is gone already is success.
Status remove_address(Netlink& route, const Link& link, const Cidr& cidr);

// Hears IPv6 address notifications of the namespace it is opened in, from its opening on.
class AddressEvents {
 public:
  static Result<AddressEvents> open();
  // Waits until no IPv6 address of the link is tentative. Errors: code 103 naming the address that someone else has,
  // code 11 naming the one that is still undecided after the time.
  Status wait_settled(Netlink& route, const Link& link, int timeout_ms);

 private:
  explicit AddressEvents(Netlink events) : events_(std::move(events)) {}
  Netlink events_;
};

}  // namespace cnio::net
