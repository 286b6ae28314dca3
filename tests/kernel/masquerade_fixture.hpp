// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cnio/firewall/masquerade.hpp"

#include "support/host.hpp"
#include "support/judge.hpp"
#include "support/matchers.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {

/// Runs `work` in `count` processes that start together; the number of those that did not return true.
inline int failures_of(int count, const std::function<bool(int)>& work) {
  int gate[2];
  if (pipe(gate) != 0) return count;
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      close(gate[1]);
      char nothing = 0;
      while (read(gate[0], &nothing, 1) > 0) {
      }
      _exit(work(i) ? 0 : 1);
    }
    children.push_back(child);
  }
  close(gate[0]);
  close(gate[1]);  // off they go
  int failed = 0;
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ++failed;
  }
  return failed;
}

/// Calls the functions under test in the test's own host namespace.
class MasqueradeTest : public HostTest {
 protected:
  static constexpr const char* kPath = "/usr/sbin:/usr/bin:/sbin:/bin";

  static firewall::MasqueradeIdentity identity(const std::string& container, const std::string& ifname = "eth0",
                                               const std::string& network = "n") {
    return {network, {container, ifname}};
  }

  static firewall::MasqueradeSpec spec(const std::string& container, const std::vector<std::string>& addresses,
                                       const std::vector<std::string>& exclude = {}) {
    firewall::MasqueradeSpec out;
    out.who = identity(container);
    for (const auto& text : addresses) out.addresses.push_back(Cidr::parse(text).value());
    for (const auto& text : exclude) out.exclude.push_back(Cidr::parse(text).value());
    return out;
  }

  static protocol::Environment environment(const std::string& path = kPath) {
    return protocol::Environment({"PATH=" + path});
  }

  static Status install(const firewall::MasqueradeSpec& what, const protocol::Environment& environment,
                        Rollback& undo) {
    CNIO_LET(std::optional<net::NftConnection> nft, net::NftConnection::open());
    return firewall::install_masquerade(nft, what, environment, undo);
  }
  static Status install(const firewall::MasqueradeSpec& what, const std::string& path = kPath) {
    Rollback undo;
    Status status = install(what, environment(path), undo);
    if (status.ok()) undo.commit();
    return status;
  }

  static Status remove(const firewall::MasqueradeIdentity& who, const std::vector<std::string>& known = {},
                       const std::string& path = kPath) {
    std::vector<IpAddr> addresses;
    for (const auto& text : known) addresses.push_back(IpAddr::parse(text).value());
    CNIO_LET(std::optional<net::NftConnection> nft, net::NftConnection::open());
    return firewall::remove_masquerade(nft, who, addresses, environment(path));
  }

  static Status check(const firewall::MasqueradeSpec& what) { return firewall::check_masquerade(what, environment()); }

  static Status collect(const std::string& network, const std::vector<protocol::Attachment>& valid) {
    return firewall::collect_masquerade_garbage(network, valid, environment());
  }

  /// The whole rule set as nft prints it for people.
  static std::string ruleset() { return must_run({"nft", "list", "ruleset"}); }
};

}  // namespace cnio::test
