// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What tuning sets of a pod's interface, what its result and CHECK say of it, and what it announces.
#include "plugin/tuning_fixture.hpp"

namespace cnio::test {
namespace {

using Tuning = TuningTest;

TEST_F(Tuning, SetsAllThatIsAskedFor) {
  PARITY("T-U12");
  const std::string before = looks();
  must_add(all_keys(), pod_);
  EXPECT_EQ(looks(), std::string(kMac) + " 1400 77++");
  EXPECT_EQ(find_link("v1").at("mtu"), 1500) << "the host's end is left alone";
  EXPECT_TRUE(succeeded_silently(check(all_keys(), pod_)));
  must_del(all_keys(), pod_);
  EXPECT_EQ(looks(), before);
  EXPECT_TRUE(backups().empty());
  EXPECT_TRUE(succeeded_silently(del(all_keys(), pod_))) << "again";
}

TEST_F(Tuning, EverySpecificationVersionIsSpoken) {
  PARITY("T-U01 U6");
  for (const std::string& version : kAllVersions) {
    const Json with_mac = config({{"mac", kMac}}, version);
    Json expected = made(version);
    if (version >= "0.3.0") expected["interfaces"][1]["mac"] = kMac;
    Json result = must_add(with_mac, pod_);
    for (const char* empty : {"dns", "routes"}) result.erase(empty);
    EXPECT_EQ(result, expected) << version;
    EXPECT_EQ(mac(), kMac);
    must_del(with_mac, pod_);
    EXPECT_NE(mac(), kMac);
  }
}

TEST_F(Tuning, OnlyEntriesOfThisSandboxGetTheAddressAndTheMtu) {
  PARITY("T-U01 U6");
  Json whole = config({{"mac", kMac}, {"mtu", 1400}});
  Json& interfaces = whole["prevResult"]["interfaces"];
  interfaces[1]["mtu"] = 1500;
  interfaces.push_back({{"name", "eth0"}, {"sandbox", "a-virtual-machine"}, {"mac", "02:00:00:00:00:03"}});
  interfaces.push_back({{"name", "eth1"}, {"sandbox", pod_.netns}, {"mtu", 1500}});
  Json expected = interfaces;
  expected[1]["mac"] = kMac;
  expected[1]["mtu"] = 1400;
  EXPECT_EQ(must_add(whole, pod_).at("interfaces"), expected);
}

TEST_F(Tuning, NeedsWhatOthersHaveMade) {
  PARITY("T-U02");
  Json alone = config({{"mtu", 1400}});
  alone.erase("prevResult");
  EXPECT_TRUE(failed(add(alone, pod_), code::kConfig, {"prevResult"}));
  alone["prevResult"] = nullptr;
  EXPECT_TRUE(failed(add(alone, pod_), code::kConfig, {"prevResult"}));
  EXPECT_TRUE(succeeded_silently(del(alone, pod_)));
  alone["prevResult"] = Json::object();
  EXPECT_TRUE(succeeded(add(alone, pod_)));
}

TEST_F(Tuning, PlacesOfTheMacAddress) {
  PARITY("T-U09");
  const auto address = [](int number) { return "02:00:00:00:01:0" + std::to_string(number); };
  Json keys = config({{"mac", address(4)}});
  const auto applied = [&](const std::string& args) {
    must_add(keys, with_args(args));
    std::string result = mac();
    EXPECT_TRUE(succeeded_silently(check(keys, with_args(args))));
    must_del(keys, with_args(args));
    return result;
  };
  const std::string born = mac();
  EXPECT_EQ(applied(""), address(4));
  EXPECT_EQ(applied("MAC=" + address(3)), address(3));
  keys["runtimeConfig"]["mac"] = address(2);
  EXPECT_EQ(applied("MAC=" + address(3)), address(2));
  keys["args"]["cni"]["mac"] = address(1);
  EXPECT_EQ(applied("MAC=" + address(3)), address(1));
  keys["runtimeConfig"]["mac"] = "";
  keys["args"]["cni"].erase("mac");
  EXPECT_EQ(applied("MAC=" + address(3)), address(3));
  keys["args"]["cni"]["mac"] = "";
  EXPECT_EQ(applied("MAC=" + address(3)), born);
}

TEST_F(Tuning, ArgsWinOverTheConfiguration) {
  const Json low = {{"mtu", 1400}, {"promisc", true}, {"allmulti", true}, {"txQLen", 77}};
  Json keys = config(low);
  keys["args"]["cni"] = {{"mtu", 1450}, {"promisc", false}, {"allmulti", false}, {"txQLen", 0}};
  must_add(keys, pod_);
  EXPECT_EQ(looks(), mac() + " 1450 0--");
  keys["args"]["cni"] = {{"mtu", 0}, {"allmulti", nullptr}};
  must_del(keys, pod_);
  must_add(keys, pod_);
  EXPECT_EQ(looks(), mac() + " 1500 77++");
}

TEST_F(Tuning, SpellingsOfTheMacAddress) {
  PARITY("T-U10 U5");
  for (const char* spelled : {"02-AA-00-00-00-07", "02AA.0000.0007", "02:aA:00:00:00:07"}) {
    const Json keys = config({{"mac", spelled}});
    EXPECT_EQ(must_add(keys, pod_).at("interfaces")[1].at("mac"), "02:aa:00:00:00:07");
    EXPECT_EQ(mac(), "02:aa:00:00:00:07");
    EXPECT_TRUE(succeeded_silently(check(keys, pod_)));
    must_del(keys, pod_);
  }
}

TEST_F(Tuning, BadValuesAreRefusedBeforeAnyChange) {
  PARITY("T-U10 T-U17 T-U21 U5 U12 U15");
  set("core/somaxconn", "55");
  const std::string before = looks();
  const std::vector<std::pair<const char*, Json>> bad = {{"mac", "02:00:00:00:00:00:00:01"},
                                                         {"mac", "01:00:00:00:00:01"},
                                                         {"mac", "00:00:00:00:00:00"},
                                                         {"mac", "nonsense"},
                                                         {"mac", 5},
                                                         {"mtu", 70000},
                                                         {"mtu", 67},
                                                         {"mtu", -1},
                                                         {"mtu", 1400.5},
                                                         {"mtu", "1400"},
                                                         {"txQLen", -1},
                                                         {"txQLen", 4294967296},
                                                         {"promisc", "yes"},
                                                         {"allmulti", 1},
                                                         {"dataDir", 7},
                                                         {"sysctl", "x"},
                                                         {"sysctl", Json::array()}};
  for (const auto& [key, value_of_key] : bad) {
    Json keys = all_keys();
    keys["sysctl"] = {{"net.core.somaxconn", "66"}};
    keys[key] = value_of_key;
    EXPECT_TRUE(failed(add(keys, pod_), code::kConfig, {key})) << key << value_of_key.dump();
    EXPECT_EQ(looks(), before) << key << value_of_key.dump();
    EXPECT_EQ(value("core/somaxconn"), "55") << key << value_of_key.dump();
    EXPECT_TRUE(backups().empty()) << key << value_of_key.dump();
    EXPECT_TRUE(succeeded_silently(del(keys, pod_))) << key << value_of_key.dump();
  }
}

TEST_F(Tuning, FloatsAreNoIntegers) {
  PARITY("T-U21");
  EXPECT_TRUE(failed(add_text(R"("mtu": 1400.0)"), code::kConfig, {"mtu"}));
}

TEST_F(Tuning, QueueLengths) {
  PARITY("T-U21 U15");
  must_add(config({{"txQLen", 0}}), pod_);
  EXPECT_EQ(link().value("txqlen", 0), 0);
  must_del(config({{"txQLen", 0}}), pod_);
  EXPECT_EQ(link().at("txqlen"), 1000);
}

TEST_F(Tuning, AnMtuThatIpv6CannotHaveIsRefusedUnderAnAddress) {
  PARITY("T-U18 U13");
  EXPECT_TRUE(failed(add(with_ipv6(config({{"mtu", 1279}})), pod_), code::kConfig, {"mtu", "fd01::5"}));
  EXPECT_EQ(link().at("mtu"), 1500);
  EXPECT_TRUE(succeeded(add(with_ipv6(config({{"mtu", 1280}})), pod_)));
  EXPECT_TRUE(succeeded(add(config({{"mtu", 1200}}), pod_)));
}

TEST_F(Tuning, CheckComparesWhatIsConfiguredAndNothingElse) {
  PARITY("T-U20 U7");
  must_add(all_keys(), pod_);
  const auto differs = [&](const std::vector<std::string>& words, const std::vector<std::string>& wrong,
                           const std::vector<std::string>& right) {
    std::vector<std::string> command = {"ip", "link", "set", "eth0"};
    command.insert(command.end(), wrong.begin(), wrong.end());
    must_run(command, pod_.netns);
    EXPECT_TRUE(failed(check(all_keys(), pod_), code::kCheck, words));
    EXPECT_TRUE(succeeded_silently(check(config(Json::object()), pod_)));
    command.resize(4);
    command.insert(command.end(), right.begin(), right.end());
    must_run(command, pod_.netns);
    EXPECT_TRUE(succeeded_silently(check(all_keys(), pod_)));
  };
  differs({"MAC address"}, {"address", "02:00:00:00:00:78"}, {"address", kMac});
  differs({"mtu 1300", "mtu 1400"}, {"mtu", "1300"}, {"mtu", "1400"});
  differs({"promisc off"}, {"promisc", "off"}, {"promisc", "on"});
  differs({"allmulti off"}, {"allmulticast", "off"}, {"allmulticast", "on"});
  differs({"txQLen 78"}, {"txqueuelen", "78"}, {"txqueuelen", "77"});
  EXPECT_TRUE(succeeded_silently(check(config(Json::object()), pod_))) << "promisc, which nobody asked for";
}

TEST_F(Tuning, CheckNeedsTheInterface) {
  PARITY("T-U20");
  must_add(sysctls({{"net.core.somaxconn", "66"}}), pod_);
  remove_interface();
  EXPECT_TRUE(failed(check(sysctls({{"net.core.somaxconn", "66"}}), pod_), code::kCheck, {"eth0"}));
}

TEST_F(Tuning, NeedsTheInterfaceOnlyForWhatIsItsOwn) {
  remove_interface();
  EXPECT_TRUE(failed(add(config({{"mtu", 1400}}), pod_), code::kEnvironment, {"CNI_IFNAME", "eth0"}));
  EXPECT_TRUE(succeeded(add(sysctls({{"net.core.somaxconn", "66"}}), pod_)));
}

TEST_F(Tuning, ANewMacAddressIsKnownAtOnce) {
  PARITY("T-U19 U14");
  must_run({"ip", "addr", "add", "fd01::1/64", "dev", "v1", "nodad"});
  must_run({"ip", "addr", "add", "fd01::5/64", "dev", "eth0", "nodad"}, pod_.netns);
  const std::string born = mac();
  must_run({"ip", "neigh", "replace", "10.1.0.5", "lladdr", born, "dev", "v1", "nud", "reachable"});
  must_run({"ip", "neigh", "replace", "fd01::5", "lladdr", born, "dev", "v1", "nud", "reachable"});
  const Json keys = with_ipv6(config({{"mac", kMac}}));
  must_add(keys, pod_);
  EXPECT_EQ(neighbour_mac("10.1.0.5", "v1"), kMac);
  EXPECT_EQ(neighbour_mac("fd01::5", "v1"), kMac);
  EXPECT_TRUE(ping("", "10.1.0.5"));
  EXPECT_EQ(value("ipv4/conf/eth0/arp_notify"), "0") << "as it was";
  EXPECT_EQ(value("ipv6/conf/eth0/ndisc_notify"), "0") << "as it was";
  must_del(keys, pod_);
  EXPECT_EQ(neighbour_mac("10.1.0.5", "v1"), born);
}

// Nobody but the kernel can tell them.
TEST_F(Tuning, NeighboursOfTheHostAreToldOfANewMacAddress) {
  PARITY("T-U19 U14");
  const std::string other = add_netns("other");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  must_run({"ip", "link", "add", "v2", "type", "veth", "peer", "name", "eth0", "netns", "other"});
  for (const char* link : {"v1", "v2"}) must_run({"ip", "link", "set", link, "master", "br0", "up"});
  must_run({"ip", "link", "set", "br0", "up"});
  must_run({"ip", "link", "set", "eth0", "up"}, other);
  must_run({"ip", "addr", "add", "10.1.0.6/24", "dev", "eth0"}, other);
  must_run({"ip", "addr", "add", "fd01::6/64", "dev", "eth0", "nodad"}, other);
  must_run({"ip", "addr", "add", "fd01::5/64", "dev", "eth0", "nodad"}, pod_.netns);
  EXPECT_TRUE(ping(other, "10.1.0.5"));
  EXPECT_TRUE(ping(other, "fd01::5"));
  EXPECT_EQ(neighbour_mac("10.1.0.5", "eth0", other), mac());
  must_add(with_ipv6(config({{"mac", kMac}})), pod_);
  for (const char* address : {"10.1.0.5", "fd01::5"}) {
    EXPECT_TRUE(happens([&] { return neighbour_mac(address, "eth0", other) == kMac; })) << address;
  }
}

TEST_F(Tuning, UnknownArguments) {
  PARITY("T-U23");
  const Json keys = config({{"mtu", 1400}});
  EXPECT_TRUE(failed(add(keys, with_args("FOO=bar")), code::kEnvironment, {"FOO"}));
  EXPECT_TRUE(failed(add(keys, with_args("MAC=nonsense")), code::kEnvironment, {"MAC"}));
  EXPECT_EQ(link().at("mtu"), 1500);
  EXPECT_TRUE(succeeded(add(keys, with_args("IgnoreUnknown=1;FOO=bar"))));
  EXPECT_TRUE(succeeded_silently(check(keys, with_args("IgnoreUnknown=1;FOO=bar"))));
  EXPECT_TRUE(succeeded_silently(del(keys, with_args("FOO=bar"))));
  EXPECT_EQ(link().at("mtu"), 1500);
}

// OpenShift installs it as cnv-tuning.
TEST_F(Tuning, WorksUnderAnotherName) {
  PARITY("T-U23");
  Json keys = config({{"mtu", 1400}});
  keys["type"] = "cnv-tuning";
  const std::string folder = make_folder("copies");
  std::filesystem::copy_file(plugin_dir() + "/tuning", folder + "/cnv-tuning");
  for (const char* verb : {"ADD", "CHECK", "DEL"}) {
    Command command = plugin_command({"tuning", verb, pod_, keys.dump()});
    command.argv = {folder + "/cnv-tuning"};
    EXPECT_EQ(run(command).exit_code, 0) << verb;
  }
  EXPECT_EQ(link().at("mtu"), 1500);
}

}  // namespace
}  // namespace cnio::test
