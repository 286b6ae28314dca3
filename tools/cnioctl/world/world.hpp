// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/attachment/record.hpp"
#include "cnio/base/ip.hpp"
#include "cnio/firewall/owned_rules.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/ipam/reservation_origin.hpp"
#include "cnio/net/link/link.hpp"

#include "cnioctl/occupants.hpp"
#include "cnioctl/report.hpp"
#include "cnioctl/world/life.hpp"
#include "cnioctl/world/setup.hpp"

// A node as cnioctl sees it: plain data, so that what is said of it needs neither root nor a kernel. Names and texts
// are as others wrote them, and not fit to be printed: see print.hpp.
namespace cnio::cnioctl {

// A file of host-local's store.
struct HeldAddress {
  IpAddr address;
  std::string file;  // its path
  std::optional<ipam::Origin> origin;
  int64_t made = 0;                      // when, in seconds since 1970; 0: not known
  bool of_earlier_boot = false;          // that its origin tells
  std::optional<bool> at_its_path = {};  // is the sandbox of its origin there? nothing: that cannot be told
};

// One interface of one container in one network, with all that was found of it.
struct Attached {
  firewall::RuleOwner who;  // without the interface, if all that is known is a reservation in the old format
  std::vector<HeldAddress> addresses = {};
  std::vector<attachment::RecordedPair> pairs = {};  // as recorded in /run/cnio, oldest first
  std::vector<net::Link> host_ends = {};             // by these records, or by their aliases
  std::vector<firewall::OwnedRules> rules = {};
  std::string cache_file = {};      // libcni's; empty: none
  std::string pod = {};             // "default/web-7f9c": recorded, or else of the cache once name_pods was asked
  std::optional<Setup> setup = {};  // what it was made to have; nothing: not known
  Evidence evidence = {};
  Verdict verdict = {};

  [[nodiscard]] Life life() const { return verdict.life; }
  // Those that are reserved, and those that its last record has.
  [[nodiscard]] std::vector<IpAddr> all_addresses() const;
  // "default/web-7f9c", or else "container 0123456789ab".
  [[nodiscard]] std::string name() const;
};

// What stands where reservations are and is none: never touched.
struct ForeignFile {
  std::string network;
  IpAddr address;
  std::string path;
  std::string what;   // "folder", "link to /etc/passwd", "empty", "no attachment in it"
  bool torn = false;  // empty: left by a writer that died, and given again when needed
};

struct World {
  std::vector<Attached> attached;           // by network, container and interface
  std::vector<ForeignFile> foreign;         // by network and address
  std::vector<std::string> stores;          // networks that have a folder in host-local's store
  std::vector<net::Link> links;             // all of the host
  std::vector<net::Link> unsaid;            // of these, host ends whose alias does not say whose they are
  std::vector<firewall::OwnedRules> rules;  // whose owner is not known
  bool knows_rules = true;                  // or nf_tables could not be read
  uint64_t host = 0;                        // the number of its network namespace
  Report blind;                             // what could not be looked at

  // Null if there is none.
  [[nodiscard]] const Attached* find(const firewall::RuleOwner& who) const;
  [[nodiscard]] const net::Link* find_link(net::IfIndex index) const;
  [[nodiscard]] const net::Link* find_link(const std::string& name) const;
};

// Looks at this node, in the calling thread's network namespace, with a second thread meanwhile. Changes nothing, waits
// for nobody, and runs no program.
World look_at_world(const StorePlaces& places);

// Reads what libcni's cache says of an attachment's pod, unless our record has its name.
void name_pod(Attached& attached);
void name_pods(World& world);

}  // namespace cnio::cnioctl
