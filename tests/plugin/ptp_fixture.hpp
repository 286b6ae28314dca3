// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <regex>
#include <string>
#include <vector>

#include "plugin/attachment_fixture.hpp"

namespace cnio::test {

/// A host that is the router of each pod, at a cable of its own.
class PtpTest : public AttachmentTest {
 protected:
  static std::string host_end(const Json& result) {
    return result.at("interfaces").at(0).at("name").get<std::string>();
  }

  /// A configuration whose addresses come from the stand-in.
  static Json fake_ptp(const std::string& version = "1.1.0") {
    return {{"cniVersion", version}, {"name", "net"}, {"type", "ptp"}, {"ipam", {{"type", "fake-ipam"}}}};
  }
  /// What the stand-in answers: `ips` and `routes` of a result.
  static Json answer(const std::string& ips, const std::string& routes = "[]") {
    return {{"cniVersion", "1.1.0"}, {"ips", Json::parse(ips)}, {"routes", Json::parse(routes)}};
  }
  /// One address with its gateway and default route, as an IPAM plugin gives it.
  static Json answer_of(const std::string& address, const std::string& gateway) {
    const bool v6 = address.find(':') != std::string::npos;
    return answer(Json::array({{{"address", address}, {"gateway", gateway}}}).dump(),
                  Json::array({{{"dst", v6 ? "::/0" : "0.0.0.0/0"}}}).dump());
  }

  /// ADD with that answer; the stand-in agrees to everything else.
  static Outcome add_with(FakeIpam& fake, const Json& result, const Attachment& attachment = pod()) {
    fake.answer("ADD", result);
    return run(with_fake(fake, "ADD", fake_ptp(), attachment));
  }

  /// Everything but what outlives an attachment by design.
  static Snapshot state() {
    return Snapshot::of_host().without_cursors().without_forwarding().without_masquerade_frame();
  }

  /// Each line of `ip route` in the table main, without what the kernel adds for itself.
  static std::vector<std::string> routes(const std::string& family, const std::string& netns,
                                         const std::string& device = "") {
    std::vector<std::string> words{"ip", family, "route", "show"};
    if (!device.empty()) words.insert(words.end(), {"dev", device});
    std::vector<std::string> lines;
    std::istringstream text(must_run(words, netns));
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("fe80::/64") || line.starts_with("multicast")) continue;
      line.erase(line.find_last_not_of(' ') + 1);
      lines.push_back(std::regex_replace(line, std::regex(" (pref medium|proto kernel)|[ ]+$"), ""));
    }
    return lines;
  }

  /// The host and a pod reach each other.
  static void expect_reached(const std::string& netns, const std::string& pods, const std::string& gateway) {
    EXPECT_TRUE(ping(netns, gateway)) << gateway;
    EXPECT_TRUE(ping("", pods)) << pods;
  }
};

}  // namespace cnio::test
