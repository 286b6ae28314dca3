// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plugin/configs.hpp"
#include "support/host.hpp"
#include "support/plugin.hpp"
#include "support/snapshot.hpp"

namespace cnio::test {
namespace {

class Loopback : public HostTest {
 protected:
  std::string pod_ = add_netns("pod");
  Attachment attachment_{"c1", pod_, "lo", ""};

  bool lo_is_up() const {
    const Json flags = find_link("lo", pod_).at("flags");
    return std::find(flags.begin(), flags.end(), "UP") != flags.end();
  }
};

TEST_F(Loopback, AddBringsLoUpWithBothAddresses) {
  PARITY("T87");
  const Json result = must_add(loopback_config(), attachment_);
  EXPECT_TRUE(lo_is_up());
  EXPECT_EQ(result, Json::parse(R"({"cniVersion": "1.1.0",
    "interfaces": [{"name": "lo", "mac": "00:00:00:00:00:00", "sandbox": "/run/netns/pod"}],
    "ips": [{"address": "127.0.0.1/8", "interface": 0}, {"address": "::1/128", "interface": 0}]})"));
  EXPECT_TRUE(ping(pod_, "127.0.0.1"));
  EXPECT_TRUE(ping(pod_, "::1"));
}

TEST_F(Loopback, AddCanBeRepeated) {
  PARITY("T87");
  EXPECT_EQ(must_add(loopback_config(), attachment_), must_add(loopback_config(), attachment_));
}

TEST_F(Loopback, InterfaceNameIsIgnored) {
  PARITY("T87");
  attachment_.ifname = "eth7";
  EXPECT_EQ(must_add(loopback_config(), attachment_).at("interfaces")[0].at("name"), "lo");
}

TEST_F(Loopback, ConfiguredDnsIsIgnored) {
  PARITY("T87 T22");
  Json config = loopback_config();
  config["dns"] = {{"nameservers", {"10.0.0.1"}}};
  EXPECT_FALSE(must_add(config, attachment_).contains("dns"));
}

TEST_F(Loopback, CheckFollowsTheState) {
  PARITY("T87");
  EXPECT_TRUE(failed(check(loopback_config(), attachment_), code::kCheck, {"lo"}));
  must_add(loopback_config(), attachment_);
  EXPECT_TRUE(succeeded_silently(check(loopback_config(), attachment_)));
  must_del(loopback_config(), attachment_);
  EXPECT_TRUE(failed(check(loopback_config(), attachment_), code::kCheck, {"lo"}));
}

TEST_F(Loopback, DeleteTakesLoDownAndCanBeRepeated) {
  PARITY("T87");
  must_add(loopback_config(), attachment_);
  EXPECT_TRUE(succeeded_silently(del(loopback_config(), attachment_)));
  EXPECT_FALSE(lo_is_up());
  EXPECT_TRUE(succeeded_silently(del(loopback_config(), attachment_)));
}

TEST_F(Loopback, DeleteSucceedsWhenTheSandboxIsGone) {
  PARITY("T87 T16");
  must_add(loopback_config(), attachment_);
  delete_netns("pod");
  EXPECT_TRUE(succeeded_silently(del(loopback_config(), attachment_)));
}

TEST_F(Loopback, ForeignAddressOnLoIsRefused) {
  PARITY("T87");
  for (const char* address : {"10.9.9.9/32", "fd09::9/128"}) {
    must_run({"ip", "addr", "add", address, "dev", "lo"}, pod_);
    const std::string bare = std::string(address).substr(0, std::string(address).find('/'));
    EXPECT_TRUE(failed(add(loopback_config(), attachment_), code::kInTheWay, {"lo", bare}));
    must_run({"ip", "addr", "del", address, "dev", "lo"}, pod_);
  }
}

TEST_F(Loopback, ResultWithoutIpv6HasOneAddress) {
  PARITY("T87 D47");
  set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod_);
  set_sysctl("net/ipv6/conf/lo/disable_ipv6", "1", pod_);
  const Json result = must_add(loopback_config(), attachment_);
  ASSERT_EQ(result.at("ips").size(), 1U);
  EXPECT_EQ(result["ips"][0].at("address"), "127.0.0.1/8");
}

TEST_F(Loopback, OldVersionsHaveTheirOwnShape) {
  PARITY("T87 D5");
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0"}) {
    const Json result = must_add(loopback_config(version), attachment_);
    EXPECT_EQ(result.at("ips")[0], Json::parse(R"({"version": "4", "interface": 0, "address": "127.0.0.1/8"})"));
    EXPECT_EQ(result.at("ips")[1].at("version"), "6");
    EXPECT_EQ(result.at("dns"), Json::object());
  }
  for (const char* version : {"0.1.0", "0.2.0"}) {
    const Json result = must_add(loopback_config(version), attachment_);
    EXPECT_EQ(result.at("ip4").at("ip"), "127.0.0.1/8");
    EXPECT_EQ(result.at("ip6").at("ip"), "::1/128");
    EXPECT_FALSE(result.contains("interfaces"));
  }
}

TEST_F(Loopback, PrevResultIsPassedThrough) {
  PARITY("T87");
  Json previous = Json::parse(R"({"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:01",
    "mtu": 1400, "sandbox": "/run/netns/pod"}], "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1",
    "interface": 0}], "routes": [{"dst": "0.0.0.0/0", "mtu": 1300}], "dns": {"nameservers": ["10.0.0.53"]}})");
  EXPECT_EQ(must_add(with_prev_result(loopback_config(), previous), attachment_), previous);
  previous.erase("cniVersion");
  EXPECT_EQ(must_add(with_prev_result(loopback_config(), previous), attachment_).at("ips"), previous.at("ips"));
  EXPECT_TRUE(lo_is_up());
}

TEST_F(Loopback, NullPrevResultIsNone) {
  PARITY("T87");
  EXPECT_EQ(must_add(with_prev_result(loopback_config(), nullptr), attachment_).at("interfaces")[0].at("name"), "lo");
}

TEST_F(Loopback, PrevResultOfAnotherVersionGroupIsRefused) {
  PARITY("T25");
  for (const char* version : {"0.4.0", "0.2.0", ""}) {
    const Json config = with_prev_result(loopback_config("1.0.0"), {{"cniVersion", version}});
    EXPECT_TRUE(failed(add(config, attachment_), code::kConfig, {"prevResult"})) << version;
  }
  EXPECT_TRUE(succeeded(add(with_prev_result(loopback_config("1.0.0"), {{"cniVersion", "1.1.0"}}), attachment_)));
  EXPECT_TRUE(succeeded(add(with_prev_result(loopback_config("1.0.0"), Json::object()), attachment_)));
  EXPECT_TRUE(
      succeeded(add(with_prev_result(loopback_config("0.2.0"), {{"cniVersion", ""}, {"ip4", {{"ip", "10.0.0.2/24"}}}}),
                    attachment_)));
}

TEST_F(Loopback, TouchesNothingOnTheHost) {
  const Snapshot before = Snapshot::of_host();
  must_add(loopback_config(), attachment_);
  must_del(loopback_config(), attachment_);
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(Loopback, StatusAndGcSucceed) {
  PARITY("T63");
  must_add(loopback_config(), attachment_);
  EXPECT_TRUE(succeeded_silently(status(loopback_config())));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(loopback_config(), {}))));
  EXPECT_TRUE(lo_is_up()) << "GC may not reach into a sandbox it knows nothing about";
}

}  // namespace
}  // namespace cnio::test
