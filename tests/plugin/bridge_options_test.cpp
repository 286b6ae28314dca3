// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Options of one key each that need no VLANs.
#include <thread>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class BridgeOptions : public BridgeTest {
 protected:
  static void add_uplink(const std::string& name, int mtu) {
    must_run({"ip", "link", "add", name, "mtu", std::to_string(mtu), "type", "veth", "peer", "name", name + "p"});
    must_run({"ip", "link", "set", name, "up"});
    must_run({"ip", "link", "set", name + "p", "up"});
  }
  static Json checked(const Json& config, const Json& result) { return with_prev_result(config, result); }
};

// ---- portIsolation

TEST_F(BridgeOptions, PortIsolationIsSetOrCleared) {
  PARITY("T34");
  Json config = bridge_config();
  config["portIsolation"] = true;
  const std::string isolated = host_end(must_add(config, pod("c1")));
  config["portIsolation"] = false;
  const std::string open = host_end(must_add(config, pod("c2")));
  EXPECT_EQ(bridge_port(isolated).at("isolated"), true);
  EXPECT_EQ(bridge_port(open).at("isolated"), false);
}

TEST_F(BridgeOptions, IsolatedPortsDoNotReachEachOther) {
  PARITY("T34");
  Json config = bridge_config();
  config["portIsolation"] = true;
  must_add(config, pod("c1"));
  must_add(config, pod("c2"));
  config["portIsolation"] = false;
  must_add(config, pod("c3"));
  EXPECT_FALSE(ping(pod("c1").netns, "10.1.0.3"));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.4"));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.1"));
}

TEST_F(BridgeOptions, CheckSeesPortIsolation) {
  PARITY("T61");
  Json config = bridge_config();
  config["portIsolation"] = true;
  const Json result = must_add(config, pod());
  EXPECT_TRUE(succeeded_silently(check(checked(config, result), pod())));
  must_run({"bridge", "link", "set", "dev", host_end(result), "isolated", "off"});
  EXPECT_TRUE(failed(check(checked(config, result), pod()), code::kCheck,
                     {host_end(result), "expected port isolation on, found off"}));
}

// ---- disableContainerInterface

TEST_F(BridgeOptions, TheContainersInterfaceStaysDownIfWanted) {
  PARITY("T35");
  Json config = layer2_config();
  config["disableContainerInterface"] = true;
  const Json result = must_add(config, pod());
  EXPECT_EQ(result.at("interfaces").size(), 3U);
  EXPECT_FALSE(is_up("eth0", pod().netns));
  EXPECT_TRUE(is_up(host_end(result)));
  EXPECT_TRUE(succeeded_silently(check(checked(config, result), pod())));
  must_del(config, pod());
  EXPECT_TRUE(names_on_bridge().empty());
}

TEST_F(BridgeOptions, TheContainersInterfaceCannotStayDownWithIpam) {
  PARITY("T27");
  Json config = bridge_config();
  config["disableContainerInterface"] = true;
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"disableContainerInterface", "ipam"}));
  EXPECT_TRUE(link_names().empty());
}

// ---- "mtu": "auto"

TEST_F(BridgeOptions, AutomaticMtuIsThatOfTheDefaultRoute) {
  add_uplink("up0", 1400);
  add_uplink("up1", 1300);
  must_run({"ip", "addr", "add", "192.0.2.1/24", "dev", "up0"});
  must_run({"ip", "addr", "add", "198.51.100.1/24", "dev", "up1"});
  must_run({"ip", "route", "add", "default", "via", "198.51.100.2", "metric", "200"});
  must_run({"ip", "route", "add", "default", "via", "192.0.2.2", "metric", "100"});
  Json config = bridge_config();
  config["mtu"] = "auto";
  const Json result = must_add(config, pod());
  EXPECT_EQ(find_link("eth0", pod().netns).at("mtu"), 1400);
  EXPECT_EQ(find_link(host_end(result)).at("mtu"), 1400);
  EXPECT_EQ(find_link("br0").at("mtu"), 1400);
  EXPECT_TRUE(succeeded_silently(check(checked(config, result), pod())));
}

TEST_F(BridgeOptions, AutomaticMtuKnowsIpv6AndMultipath) {
  add_uplink("up0", 1350);
  must_run({"ip", "addr", "add", "2001:db8::1/64", "dev", "up0", "nodad"});
  must_run({"ip", "-6", "route", "add", "default", "nexthop", "via", "2001:db8::2", "nexthop", "via", "2001:db8::3"});
  Json config = bridge_config();
  config["mtu"] = "auto";
  must_add(config, pod());
  EXPECT_EQ(find_link("eth0", pod().netns).at("mtu"), 1350);
}

TEST_F(BridgeOptions, AutomaticMtuNeedsADefaultRoute) {
  Json config = bridge_config();
  config["mtu"] = "auto";
  EXPECT_TRUE(failed(add(config, pod()), code::kKernel, {"auto", "no default route"}));
  EXPECT_TRUE(link_names().empty());
  EXPECT_TRUE(failed(status(config), code::kUnavailable, {"no default route"}));
  must_del(config, pod());
}

// ---- hostIfPrefix

TEST_F(BridgeOptions, HostEndsHaveTheWantedPrefix) {
  Json config = bridge_config();
  config["hostIfPrefix"] = "pod";
  const Json result = must_add(config, pod());
  EXPECT_EQ(host_end(result).rfind("pod", 0), 0U) << host_end(result);
  EXPECT_EQ(host_end(result).size(), 11U);
  EXPECT_EQ(find_link(host_end(result)).at("ifalias"), "cnio net/c1/eth0");
  EXPECT_TRUE(succeeded_silently(check(checked(config, result), pod())));
  must_del(config, pod());
  EXPECT_TRUE(names_on_bridge().empty());
}

// Another process holds the namespace, whose name is gone; and the prefix was changed in the meantime.
TEST_F(BridgeOptions, HostEndsAreFoundByTheResultIfThePrefixChanged) {
  Json config = bridge_config();
  config["hostIfPrefix"] = "pod";
  const Json result = must_add(config, pod());
  config["hostIfPrefix"] = "other";
  Attachment attachment = pod();
  attachment.netns = "";
  must_del(checked(config, result), attachment);
  EXPECT_TRUE(names_on_bridge().empty());
}

// ---- deleteWhenEmpty

class DeleteWhenEmpty : public BridgeOptions {
 protected:
  DeleteWhenEmpty() { config_["deleteWhenEmpty"] = true; }
  Json config_ = bridge_config();
};

TEST_F(DeleteWhenEmpty, TheBridgeGoesWithItsLastPort) {
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  must_del(config_, pod("c1"));
  EXPECT_FALSE(find_link("br0").is_null());
  must_del(config_, pod("c2"));
  EXPECT_TRUE(link_names().empty());
  must_del(config_, pod("c2"));
}

TEST_F(DeleteWhenEmpty, PortsOfOthersKeepIt) {
  must_add(config_, pod());
  must_run({"ip", "link", "add", "mine", "type", "veth", "peer", "name", "minep"});
  must_run({"ip", "link", "set", "mine", "master", "br0"});
  must_del(config_, pod());
  EXPECT_FALSE(find_link("br0").is_null());
}

TEST_F(DeleteWhenEmpty, ABridgeThatWasThereStays) {
  FAULT("D15 deleteWhenEmpty");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  must_run({"ip", "addr", "add", "10.1.0.1/24", "dev", "br0"});
  must_add(config_, pod());
  const Outcome outcome = del(config_, pod());
  EXPECT_TRUE(succeeded_silently(outcome));
  EXPECT_NE(outcome.err.find("br0"), std::string::npos) << "it says so";
  EXPECT_EQ(address_texts("br0"), std::vector<std::string>{"10.1.0.1/24"});
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {}))));
  EXPECT_FALSE(find_link("br0").is_null());
}

// With or without the key: a failed ADD leaves the host as it found it.
TEST_F(BridgeTest, AFailedAddTakesItsNewBridgeBack) {
  PARITY("T64 D15");
  Json config = bridge_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "10.9.0.0/16", "gw": "10.200.0.1"}])");
  EXPECT_TRUE(failed(add(config, pod()), code::kKernel, {"10.9.0.0/16"}));
  EXPECT_TRUE(link_names().empty());
  config["ipam"]["ranges"] = 7;
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"ipam.ranges"}));
  EXPECT_TRUE(link_names().empty());
}

TEST_F(BridgeTest, AFailedAddKeepsABridgeThatWasThere) {
  PARITY("T64");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  Json config = bridge_config();
  config["ipam"]["ranges"] = 7;
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"ipam.ranges"}));
  EXPECT_FALSE(find_link("br0").is_null());
}

TEST_F(DeleteWhenEmpty, GarbageCollectionRemovesItToo) {
  must_add(config_, pod());
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {}))));
  EXPECT_TRUE(link_names().empty());
}

// Each ADD that reports success has its bridge, however often the bridge comes and goes.
TEST_F(DeleteWhenEmpty, ConcurrentAddsNeverLoseTheirBridge) {
  const int turns = rounds(30);
  std::vector<Attachment> pods;
  for (const char* id : {"c1", "c2", "c3", "c4"}) pods.push_back(pod(id));
  std::vector<std::string> complaints(pods.size());
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < pods.size(); ++i) {
    workers.emplace_back([&, i] {
      for (int round = 0; round < turns && complaints[i].empty(); ++round) {
        const Outcome added = add(config_, pods[i]);
        if (added.exit_code != 0) {
          complaints[i] = "ADD: " + added.out;
        } else if (const Outcome looked = check(with_prev_result(config_, Json::parse(added.out)), pods[i]);
                   looked.exit_code != 0) {
          complaints[i] = "CHECK: " + looked.out;
        } else if (const Outcome deleted = del(config_, pods[i]); deleted.exit_code != 0) {
          complaints[i] = "DEL: " + deleted.out;
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (const std::string& complaint : complaints) EXPECT_EQ(complaint, "");
  EXPECT_TRUE(link_names().empty());
}

// ---- ipMasqOnly

class MasqueradeOnly : public BridgeTest {
 protected:
  MasqueradeOnly() {
    config_["ipMasq"] = true;
    must_run({"ip", "addr", "add", "192.0.2.3/24", "dev", "eth0"}, outside_.netns);
    outside_.learn_route("10.1.0.0/24");
    outside_.learn_route("fd01::/64");
  }
  std::string seen_at(const std::string& address) { return seen_as(pod().netns, outside_.netns, address); }

  OutsideHost outside_;
  Json config_ = dual_stack_config();
};

TEST_F(MasqueradeOnly, OtherDestinationsSeeThePod) {
  config_["ipMasqOnly"] = {"192.0.2.2/32"};
  Json result = must_add(config_, pod());
  EXPECT_EQ(seen_at("192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_at("192.0.2.3"), "10.1.0.2");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, result), pod())));
}

// A family of which no destination is listed is not masqueraded: IPv4 alone, for hosts with IPv6 for everybody.
TEST_F(MasqueradeOnly, OneFamilyAlone) {
  config_["ipMasqOnly"] = {"0.0.0.0/0"};
  must_add(config_, pod());
  EXPECT_EQ(seen_at("192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_at("2001:db8::2"), "fd01::2");
}

TEST_F(MasqueradeOnly, ExclusionsCountWithinIt) {
  config_["ipMasqOnly"] = {"192.0.2.0/24"};
  config_["ipMasqExclude"] = {"192.0.2.3/32"};
  must_add(config_, pod());
  EXPECT_EQ(seen_at("192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_at("192.0.2.3"), "10.1.0.2");
}

TEST_F(MasqueradeOnly, WithIptablesToo) {
  config_["ipMasqBackend"] = "iptables";
  config_["ipMasqOnly"] = {"192.0.2.2/32"};
  Json result = must_add(config_, pod());
  EXPECT_EQ(seen_at("192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_at("192.0.2.3"), "10.1.0.2");
  EXPECT_EQ(seen_at("2001:db8::2"), "fd01::2");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, result), pod())));
  must_del(config_, pod());
  EXPECT_TRUE(nft_objects_with("10.1.0.2").empty());
}

}  // namespace
}  // namespace cnio::test
