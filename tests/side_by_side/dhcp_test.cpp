// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The reference's dhcp plugin as IPAM plugin of our bridge: its daemon asks a server behind an uplink of the bridge, by
// the very link that is being made, and says good-bye to it by the link that is about to go.
#include <optional>
#include <set>
#include <sstream>

#include "plugin/bridge_fixture.hpp"
#include "support/twin.hpp"

namespace cnio::test {
namespace {

const char* const kRouter = "10.5.0.1";

std::vector<std::string> lines_with(const std::string& text, const std::string& word) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(word) != std::string::npos) found.push_back(line);
  }
  return found;
}

// The plugin's releases come from 0.0.0.0 and go to the server's own address, by which the kernel throws them away
// before dnsmasq's socket has them. A server that reads frames, as ISC's does, hears them; so does this one.
const char* const kHearReleases = R"(table ip hear {
  chain releases {
    type filter hook prerouting priority raw
    ip saddr 0.0.0.0 ip daddr 10.5.0.1 udp dport 67 ip daddr set 255.255.255.255
  }
})";

/// A network with a DHCP server, 10.5.0.1, to which br0 has an uplink. What the server tells as router is given.
class Lan {
 public:
  explicit Lan(const std::string& router) {
    must_feed({"nft", "-f", "-"}, kHearReleases, netns);
    must_run({"ip", "link", "add", "br0", "type", "bridge"});
    must_run({"ip", "link", "add", "uplink", "master", "br0", "type", "veth", "peer", "name", "lan0", "netns", "lan"});
    must_run({"ip", "addr", "add", std::string(kRouter) + "/24", "dev", "lan0"}, netns);
    must_run({"ip", "link", "set", "lan0", "up"}, netns);
    for (const char* link : {"uplink", "br0"}) must_run({"ip", "link", "set", link, "up"});
    // In a process namespace, which ends with the test however that ends: dnsmasq gives up rights, and with them the
    // signal that its parent's death would be to it.
    const std::string serve =
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --port=0 --no-hosts --no-resolv "
        "--no-ping --dhcp-authoritative --interface=lan0 --bind-interfaces "
        "--dhcp-range=10.5.0.100,10.5.0.150,255.255.255.0,1h --dhcp-option=option:router," +
        router + " --dhcp-leasefile=" + folder_ + "/leases --log-facility=" + log_ + " & wait";
    Command server{{"unshare", "--pid", "--fork", "--kill-child", "sh", "-c", serve}};
    server.netns = netns;
    write_file(log_, "");
    server_.emplace(server);
    if (!happens([&] { return !said("DHCP, IP range").empty(); })) throw std::runtime_error("dnsmasq: " + log());
  }

  /// What the server has noted of one kind of message ("DHCPACK"), from this address on.
  std::vector<std::string> said(const std::string& words) const { return lines_with(log(), words); }
  std::string log() const { return read_file(log_); }

  /// The server has heard that the address is free. Other messages may be on their way.
  ::testing::AssertionResult heard_release(const std::string& address) const {
    if (happens([&] { return !said("DHCPRELEASE(lan0) " + address + " ").empty(); })) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "no release of " << address << ":\n" << log();
  }

  void stop_server() { server_.reset(); }

  const std::string netns = add_netns("lan");

 private:
  const std::string folder_ = make_folder("lan");
  const std::string log_ = folder_ + "/log";
  std::optional<Child> server_;
};

/// The dhcp plugin's other half, impatient with a server that does not answer.
class DhcpDaemon {
 public:
  DhcpDaemon() { start(); }

  void start() {
    Command command{{reference_dir() + "/dhcp", "daemon", "-timeout", "1s"}};
    if (reference_is_new()) command.argv.insert(command.argv.end(), {"-resendtimeout", "2s"});
    process_.emplace(command);
    if (!happens([] { return std::filesystem::exists("/run/cni/dhcp.sock"); }))
      throw std::runtime_error("the dhcp daemon does not start");
  }
  void stop() {
    process_.reset();
    std::filesystem::remove("/run/cni/dhcp.sock");
  }

 private:
  std::optional<Child> process_;
};

class DhcpBase : public BridgeTest {
 protected:
  static Json dhcp_config(const std::string& version = "1.0.0") {
    Json config = layer2_config(version);
    config["ipam"] = {{"type", "dhcp"}};
    return config;
  }

  static Command command(const std::string& verb, const Json& config, const Attachment& attachment) {
    Command call = plugin_command({"bridge", verb, attachment, config.dump()});
    call.env["CNI_PATH"] = plugin_dir() + ":" + reference_dir();
    return call;
  }
  static Outcome call(const std::string& verb, const Json& config, const Attachment& attachment) {
    return run(command(verb, config, attachment));
  }
  static Json must_call_add(const Json& config, const Attachment& attachment) {
    const Outcome outcome = call("ADD", config, attachment);
    if (outcome.exit_code != 0) throw std::runtime_error("ADD failed: " + describe(outcome));
    return Json::parse(outcome.out);
  }

  /// "10.5.0.123", of a result.
  static std::string leased(const Json& result) {
    const auto text = result.at("ips").at(0).at("address").get<std::string>();
    return text.substr(0, text.find('/'));
  }

  /// What is there of attachments, on the host.
  static std::vector<std::string> leftovers() {
    std::vector<std::string> left = names_on_bridge();
    std::erase(left, "uplink");
    for (const std::string& object : nft_objects_with("\"10.5.0.")) left.push_back(object);
    for (const std::string& object : nft_objects_with("cni-br-iface")) left.push_back(object);
    if (!std::filesystem::exists("/run/cnio/attachments")) return left;
    for (const auto& entry : std::filesystem::directory_iterator("/run/cnio/attachments"))
      left.push_back(entry.path().string());
    return left;
  }

  const std::vector<std::string> nothing_;
};

class Dhcp : public DhcpBase {
 protected:
  Lan lan_{kRouter};
  DhcpDaemon daemon_;
};

TEST_F(Dhcp, LeaseComesWithTheFirstQuestionAndGoesByTheLink) {
  FAULT("D16 dhcp");
  const Json result = must_call_add(dhcp_config(), pod());
  const std::string address = leased(result);
  EXPECT_EQ(lan_.said("DHCPDISCOVER").size(), 1U) << "a link that is not up yet loses the first one\n" << lan_.log();
  EXPECT_EQ(lan_.said("DHCPACK(lan0) " + address + " ").size(), 1U) << lan_.log();
  EXPECT_EQ(result.at("ips")[0].at("gateway"), kRouter);
  EXPECT_EQ(address_texts("eth0", pod().netns), std::vector<std::string>{address + "/24"});
  EXPECT_EQ(routes_to("default", pod().netns).at(0).at("gateway"), kRouter);
  EXPECT_TRUE(ping(pod().netns, kRouter));
  EXPECT_TRUE(ping(lan_.netns, address));
  const Json recorded = with_prev_result(dhcp_config(), result);
  EXPECT_TRUE(succeeded_silently(call("CHECK", recorded, pod())));

  EXPECT_TRUE(succeeded_silently(call("DEL", recorded, pod())));
  EXPECT_TRUE(lan_.heard_release(address));
  EXPECT_EQ(leftovers(), nothing_);
  EXPECT_EQ(link_names(pod().netns), nothing_);
  EXPECT_TRUE(succeeded_silently(call("DEL", recorded, pod()))) << "again";
  EXPECT_EQ(lan_.said("DHCPRELEASE").size(), 1U);
}

/// Options that change what is done to the link, or around it.
class DhcpOptions : public DhcpBase, public ::testing::WithParamInterface<std::pair<std::string, std::string>> {
 protected:
  Lan lan_{"10.5.0.254"};
  DhcpDaemon daemon_;
};

INSTANTIATE_TEST_SUITE_P(Table, DhcpOptions,
                         ::testing::Values(std::pair("Gateway", R"({"isGateway": true})"),
                                           std::pair("DefaultGateway", R"({"isDefaultGateway": true})"),
                                           std::pair("SpoofCheck", R"({"macspoofchk": true})"),
                                           std::pair("Hairpin", R"({"hairpinMode": true})"),
                                           std::pair("Mac", R"({"runtimeConfig": {"mac": "02:00:00:00:05:05"}})"),
                                           std::pair("Mtu", R"({"mtu": 1400})"),
                                           std::pair("Masquerade", R"({"isGateway": true, "ipMasq": true})"),
                                           std::pair("DetectDuplicates", R"({"enabledad": true})"),
                                           std::pair("All", R"({"isDefaultGateway": true, "ipMasq": true,
                                             "macspoofchk": true, "hairpinMode": true, "mtu": 1400})")),
                         [](const auto& test) { return test.param.first; });

TEST_P(DhcpOptions, WorkWithALease) {
  FAULT("D16 dhcp");
  Json config = dhcp_config();
  config.merge_patch(Json::parse(GetParam().second));
  const Json result = must_call_add(config, pod());
  EXPECT_EQ(lan_.said("DHCPDISCOVER").size(), 1U) << lan_.log();
  EXPECT_TRUE(ping(lan_.netns, leased(result)));
  const bool gateway = config.value("isGateway", false) || config.value("isDefaultGateway", false);
  if (gateway) {
    EXPECT_TRUE(ping(pod().netns, "10.5.0.254")) << "the bridge has the router's address";
  }
  const Json recorded = with_prev_result(config, result);
  EXPECT_TRUE(succeeded_silently(call("CHECK", recorded, pod())));
  EXPECT_TRUE(succeeded_silently(call("DEL", recorded, pod())));
  EXPECT_TRUE(lan_.heard_release(leased(result)));
  EXPECT_EQ(leftovers(), nothing_);
}

TEST_F(Dhcp, EachInterfaceHasALeaseOfItsOwn) {
  FAULT("D16 dhcp");
  const Attachment first = pod("c1", "eth0");
  const Attachment second = pod("c1", "eth1");
  const std::string of_first = leased(must_call_add(dhcp_config(), first));
  const std::string of_second = leased(must_call_add(dhcp_config(), second));
  EXPECT_NE(of_first, of_second);
  EXPECT_TRUE(succeeded_silently(call("DEL", dhcp_config(), first)));
  EXPECT_TRUE(lan_.heard_release(of_first));
  EXPECT_EQ(link_names(first.netns), std::vector<std::string>{"eth1"});
  EXPECT_TRUE(ping(lan_.netns, of_second));
  EXPECT_TRUE(succeeded_silently(call("DEL", dhcp_config(), second)));
  EXPECT_TRUE(lan_.heard_release(of_second));
  EXPECT_EQ(leftovers(), nothing_);
}

TEST_F(Dhcp, ManyAtOnceHaveALeaseEach) {
  FAULT("D16 dhcp");
  std::vector<Child> adding;
  for (int number = 0; number < 6; ++number)
    adding.emplace_back(command("ADD", dhcp_config(), pod("c" + std::to_string(number))));
  std::set<std::string> leases;
  for (Child& child : adding) {
    const Outcome outcome = child.wait();
    ASSERT_TRUE(succeeded(outcome));
    leases.insert(leased(Json::parse(outcome.out)));
  }
  EXPECT_EQ(leases.size(), adding.size());
  for (const std::string& address : leases) EXPECT_TRUE(ping(lan_.netns, address));
}

/// How an ADD fails once it has its lease.
struct LateFailure {
  std::string name;
  int code;  ///< 0: nobody hears it
  std::string patch;
  std::string address_of_bridge{};
  void (*spoil)(Command& command){};
};

void PrintTo(const LateFailure& failure, std::ostream* out) { *out << failure.name; }

class DhcpUndo : public Dhcp, public ::testing::WithParamInterface<LateFailure> {};

INSTANTIATE_TEST_SUITE_P(
    Table, DhcpUndo,
    ::testing::Values(LateFailure{"OtherGateway", code::kInTheWay, R"({"isGateway": true})", "10.5.0.77/24"},
                      LateFailure{"ReaderGone", 0, "{}", "", [](Command& command) { command.stdout_broken = true; }},
                      LateFailure{"OutputFull", 0, R"({"macspoofchk": true})", "",
                                  [](Command& command) { command.stdout_path = "/dev/full"; }}),
    [](const auto& test) { return test.param.name; });

TEST_P(DhcpUndo, ReleasesTheLease) {
  FAULT("D16 dhcp");
  Json config = dhcp_config();
  config.merge_patch(Json::parse(GetParam().patch));
  if (!GetParam().address_of_bridge.empty())
    must_run({"ip", "addr", "add", GetParam().address_of_bridge, "dev", "br0"});
  Command adding = command("ADD", config, pod());
  if (GetParam().spoil != nullptr) GetParam().spoil(adding);
  const Outcome outcome = run(adding);
  if (GetParam().code != 0) {
    EXPECT_TRUE(failed(outcome, GetParam().code, {"10.5.0.77"}));
  } else {
    EXPECT_EQ(outcome.exit_code, 1);
  }
  EXPECT_EQ(lan_.said("DHCPACK").size(), 1U) << "there was one\n" << lan_.log();
  EXPECT_TRUE(happens([&] { return lan_.said("DHCPRELEASE").size() == 1; })) << lan_.log();
  EXPECT_EQ(leftovers(), nothing_);
  EXPECT_EQ(link_names(pod().netns), nothing_);
}

TEST_F(Dhcp, WithoutServerNothingIsLeft) {
  FAULT("D16 dhcp");
  if (!reference_is_new()) return;  // Debian 12's daemon asks for longer than a test waits
  lan_.stop_server();
  const Outcome outcome = call("ADD", dhcp_config(), pod());
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_NE(outcome.out.find("dhcp"), std::string::npos) << describe(outcome);
  EXPECT_EQ(leftovers(), nothing_);
  EXPECT_EQ(link_names(pod().netns), nothing_);
}

TEST_F(Dhcp, AddThatIsKilledWhileItAsksIsCleanedUp) {
  FAULT("D16 dhcp");
  lan_.stop_server();
  {
    const Child adding(command("ADD", dhcp_config(), pod()));
    ASSERT_TRUE(happens([] { return is_up("eth0", pod().netns); }));
  }
  EXPECT_NE(leftovers(), nothing_);
  EXPECT_TRUE(succeeded_silently(call("DEL", dhcp_config(), pod())));
  EXPECT_EQ(leftovers(), nothing_);
  EXPECT_EQ(link_names(pod().netns), nothing_);
}

TEST_F(Dhcp, WithoutDaemonAddSaysSoAndLeavesNothing) {
  FAULT("D16 dhcp");
  daemon_.stop();
  const Outcome outcome = call("ADD", dhcp_config(), pod());
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_NE(outcome.out.find("DHCP daemon"), std::string::npos) << describe(outcome);
  EXPECT_EQ(leftovers(), nothing_);
}

TEST_F(Dhcp, WithoutDaemonDelRemovesAllElseAndSaysSo) {
  FAULT("D16 dhcp");
  Json config = dhcp_config();
  config["macspoofchk"] = true;
  config["ipMasq"] = true;
  must_call_add(config, pod());
  daemon_.stop();
  const Outcome outcome = call("DEL", config, pod());
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_NE(outcome.out.find("IPAM plugin \\\"dhcp\\\""), std::string::npos) << describe(outcome);
  EXPECT_EQ(link_names(pod().netns), nothing_);
  EXPECT_EQ(names_on_bridge(), std::vector<std::string>{"uplink"});
  daemon_.start();
  EXPECT_TRUE(succeeded_silently(call("DEL", config, pod()))) << "a runtime repeats it";
  EXPECT_EQ(leftovers(), nothing_);
}

TEST_F(Dhcp, DelWithoutPluginRemovesAllElseAndSaysSo) {
  FAULT("D16 dhcp");
  must_call_add(dhcp_config(), pod());
  Command deleting = command("DEL", dhcp_config(), pod());
  deleting.env["CNI_PATH"] = plugin_dir();
  EXPECT_TRUE(failed(run(deleting), code::kIpam, {"dhcp", "not found"}));
  EXPECT_EQ(link_names(pod().netns), nothing_);
  EXPECT_EQ(names_on_bridge(), std::vector<std::string>{"uplink"});
}

TEST_F(Dhcp, DelReleasesWhenTheNamespaceHasNoNameAnyMore) {
  FAULT("D16 dhcp");
  const Json config = dhcp_config();
  for (const char* shape : {"path that is gone", "no path"}) {
    const Attachment attachment = pod("c1");
    const std::string address = leased(must_call_add(config, attachment));
    delete_netns("c1");  // the daemon still has it
    Attachment later = attachment;
    if (std::string(shape) == "no path") later.netns = "";
    const std::size_t before = lan_.said("DHCPRELEASE").size();
    EXPECT_TRUE(succeeded_silently(call("DEL", config, later))) << shape;
    EXPECT_TRUE(happens([&] { return lan_.said("DHCPRELEASE").size() == before + 1; })) << shape << lan_.log();
    EXPECT_TRUE(lan_.heard_release(address)) << shape;
    EXPECT_EQ(leftovers(), nothing_) << shape;
  }
}

TEST_F(Dhcp, DelOfWhatIsLeftReleasesAsTheConfigurationOfThenSays) {
  FAULT("D16 dhcp");
  Json renamed = dhcp_config();
  renamed["name"] = "other";
  const Json unreadable = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", "bridge"}, {"bridge", "br0"}};
  for (const Json& config : {renamed, unreadable}) {
    const std::string address = leased(must_call_add(dhcp_config(), pod()));
    const std::size_t before = lan_.said("DHCPRELEASE").size();
    EXPECT_TRUE(succeeded_silently(call("DEL", config, pod()))) << config.dump();
    EXPECT_TRUE(happens([&] { return lan_.said("DHCPRELEASE").size() == before + 1; })) << config.dump() << lan_.log();
    EXPECT_TRUE(lan_.heard_release(address));
    EXPECT_EQ(leftovers(), nothing_) << config.dump();
  }
}

TEST_F(Dhcp, ContainerThatStartsAgainGetsALeaseOfItsNewInterface) {
  FAULT("D16 dhcp");
  const Attachment before = pod("c1");
  const std::string address = leased(must_call_add(dhcp_config(), before));
  Attachment again = before;  // no DEL in between, and something keeps the former namespace alive
  again.netns = add_netns("again");
  const Json result = must_call_add(dhcp_config(), again);
  EXPECT_TRUE(lan_.heard_release(address));
  EXPECT_EQ(lan_.said("DHCPDISCOVER").size(), 2U) << lan_.log();
  EXPECT_EQ(link_names(before.netns), nothing_);
  EXPECT_TRUE(ping(lan_.netns, leased(result)));
  EXPECT_TRUE(succeeded_silently(call("DEL", dhcp_config(), again)));
  EXPECT_EQ(leftovers(), nothing_);
}

TEST_F(Dhcp, ContainerWhoseInterfaceVanishedGetsALeaseOfItsNewOne) {
  FAULT("D16 dhcp");
  must_call_add(dhcp_config(), pod());
  must_run({"ip", "link", "del", "eth0"}, pod().netns);
  const Json result = must_call_add(dhcp_config(), pod());
  EXPECT_EQ(lan_.said("DHCPDISCOVER").size(), 2U) << lan_.log();
  for (int round = 0; round < 2; ++round)  // the daemon hangs at the second for a lease without an interface
    EXPECT_TRUE(succeeded_silently(call("CHECK", with_prev_result(dhcp_config(), result), pod())));
  EXPECT_TRUE(ping(lan_.netns, leased(result)));
}

TEST_F(Dhcp, GcTakesTheLinkOfTheDeadAndNotThatOfTheLiving) {
  FAULT("D16 dhcp");
  const Json living = must_call_add(dhcp_config(), pod("c1"));
  must_call_add(dhcp_config(), pod("c2"));
  const Json config = dhcp_config("1.1.0");
  const Outcome collected = call("GC", with_valid_attachments(config, {{"c1", "eth0"}}), {"", "", "", ""});
  // Debian 12's plugin does not know these verbs.
  EXPECT_EQ(bool(succeeded_silently(collected)), reference_is_new()) << describe(collected);
  EXPECT_EQ(bool(succeeded_silently(call("STATUS", config, {"", "", "", ""}))), reference_is_new());
  EXPECT_EQ(link_names(pod("c2").netns), nothing_);
  EXPECT_TRUE(ping(lan_.netns, leased(living)));
  EXPECT_TRUE(succeeded_silently(call("CHECK", with_prev_result(dhcp_config(), living), pod("c1"))));
}

}  // namespace
}  // namespace cnio::test
