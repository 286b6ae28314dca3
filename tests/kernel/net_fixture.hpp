// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/netlink.h>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

#include "support/host.hpp"
#include "support/judge.hpp"
#include "support/matchers.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {

/// Calls the net layer in the test's own host namespace; `ip` makes the scene and judges.
class NetTest : public HostTest {
 protected:
  /// The socket under test, opened on first use.
  net::Netlink& route() {
    if (!route_) {
      auto opened = net::Netlink::open(NETLINK_ROUTE);
      if (!opened.ok()) throw std::runtime_error(opened.error().msg());
      route_.emplace(std::move(opened).value());
    }
    return *route_;
  }

  /// A link that must be there, as the code under test sees it.
  net::Link link(const std::string& name) {
    auto found = net::find_link(route(), name);
    if (!found.ok()) throw std::runtime_error(found.error().msg());
    if (!found.value()) throw std::runtime_error("no link " + name);
    return *std::move(found).value();
  }

  /// ip("link add v0 type veth")
  static std::string ip(const std::string& words, const std::string& netns = "") {
    std::vector<std::string> argv = {"ip"};
    std::istringstream stream(words);
    for (std::string word; stream >> word;) argv.push_back(word);
    return must_run(argv, netns);
  }

  /// Many commands in one process, one a line.
  static void ip_batch(const std::string& lines) { must_feed({"ip", "-batch", "-"}, lines); }

  /// An up veth pair within the host namespace.
  static void add_veth(const std::string& name, const std::string& peer) {
    ip("link add " + name + " type veth peer name " + peer);
    ip("link set " + name + " up");
    ip("link set " + peer + " up");
  }

 private:
  std::optional<net::Netlink> route_;
};

}  // namespace cnio::test
