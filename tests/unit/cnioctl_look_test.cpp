// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What the verbs of cnioctl say of a node, to people and to programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/describe.hpp"
#include "cnioctl/ipam.hpp"
#include "cnioctl/metrics.hpp"
#include "cnioctl/pods.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/status.hpp"
#include "cnioctl/tree.hpp"
#include "cnioctl/who.hpp"
#include "cnioctl/world/problems.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr net::IfIndex kBridge{3};
constexpr net::IfIndex kEth0{2};

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

net::Link link_of(net::IfIndex index, const std::string& name, const std::string& kind = "") {
  net::Link link;
  link.index = index;
  link.name = name;
  link.kind = kind;
  link.up = true;
  return link;
}

// A node with a bridge and three pods: one is well, one has lost its rules, one is gone.
class CnioctlLook : public ::testing::Test {
 protected:
  CnioctlLook() {
    facts_.node.name = "node-1";
    facts_.node.kernel = "6.1.0";
    facts_.node.up_seconds = 3 * 3600;
    facts_.node.now = 1'000'000;
    facts_.node.uplink = "eth0";
    facts_.node.forwards_ipv4 = true;
    facts_.world.links = {link_of(kEth0, "eth0"), link_of(kBridge, "cni0", "bridge")};
    own("192.0.2.11/24", kEth0);
    own("10.1.0.1/24", kBridge);
    NetworkView network{"mynet", "/etc/cni/net.d/10-mynet.conf", true};
    network.setup = setup();
    network.sets.emplace_back(std::vector<ipam::Range>{ipam::default_range(cidr("10.1.0.0/24"))});
    facts_.networks.push_back(network);
    add("c1", "10.1.0.2", Life::kLive).rules = {masquerade("10.1.0.2")};
    facts_.world.attached.back().pod = "default/web";
    add("c2", "10.1.0.3", Life::kLive);
    add("c3", "10.1.0.4", Life::kGone).addresses[0].made = 999'000;
    facts_.world.foreign.push_back({"mynet", ip("10.1.0.9"), "/store/mynet/10.1.0.9", "link to /etc/\x1b[2J"});
    count();
  }

  static cnioctl::Setup setup() {
    cnioctl::Setup setup;
    setup.type = "bridge";
    setup.bridge = "cni0";
    setup.gateway = setup.masquerade = true;
    setup.exclude = {"10.0.0.0/8"};
    return setup;
  }
  static firewall::OwnedRules masquerade(const std::string& address) {
    return {firewall::RuleKind::kMasquerade,
            {net::NftFamily::kInet, "cnio_masquerade"},
            "att-1-2",
            "12",
            "",
            {},
            {},
            {ip(address)}};
  }
  void own(const char* address, net::IfIndex of) {
    net::OwnedAddress out;
    out.owner = of;
    out.address.cidr = cidr(address);
    facts_.node.addresses.push_back(out);
  }
  Attached& add(const std::string& container, const std::string& address, Life life) {
    Attached out{{"mynet", {container, "eth0"}}};
    out.addresses.push_back({ip(address), "/store/mynet/" + address, {}});
    out.setup = setup();
    out.verdict = {life, life == Life::kGone ? "/run/netns/x is not there any more" : "host end is there"};
    if (life == Life::kLive) {
      net::Link end =
          link_of(net::IfIndex{static_cast<int>(10 + facts_.world.attached.size())}, "veth-" + container, "veth");
      end.master = kBridge;
      out.host_ends = {end};
      facts_.world.links.push_back(end);
    }
    facts_.world.attached.push_back(std::move(out));
    return facts_.world.attached.back();
  }
  void count() { facts_.pools = count_pools(facts_.world, facts_.networks); }
  Attached& of(size_t number) { return facts_.world.attached.at(number); }
  std::vector<std::string> kinds() const {
    std::vector<std::string> out;
    for (const Problem& each : find_problems(facts_)) out.push_back(each.kind);
    return out;
  }

  Facts facts_;
};

// ---- what is printed

TEST(Shown, IsNothingThatDrivesATerminal) {
  EXPECT_EQ(shown("web-1 \xc3\xa4\xe2\x94\x80"), "web-1 \xc3\xa4\xe2\x94\x80");
  EXPECT_EQ(shown("a\x1b[2J\n\tb\x7f"), "a\\x1b[2J\\x0a\\x09b\\x7f");
  EXPECT_EQ(shown("\xc2\x9b"
                  "31m"),
            "\\xc2\\x9b31m")
      << "CSI in one character";
  EXPECT_EQ(shown("\x9b"
                  "31m\xff"),
            "\\x9b31m\\xff")
      << "no UTF-8";
  EXPECT_EQ(shown("a\xe2\x80\xae"
                  "b"),
            "a\\xe2\\x80\\xae"
            "b")
      << "right to left from here on";
  EXPECT_EQ(shown("\xc0\x8a\xed\xa0\x80\xf4\x90\x80\x80"), "\\xc0\\x8a\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(shown("\xe2\x94"), "\\xe2\\x94") << "cut";
}

TEST(JsonText, IsAscii) {
  const std::string text = json_text({{"a", "\xc2\x9b\x1b\xff"}});
  EXPECT_EQ(text.find_first_not_of("{}\" \n:\\abcdefu0123456789"), std::string::npos) << text;
}

TEST(TableText, HasColumnsAndNoBlanksAtTheEnd) {
  Table table("  ");
  table.add({"a", "long", "x"});
  table.add({"longer", "", ""});
  EXPECT_EQ(table.text(), "  a       long  x\n  longer\n");
}

TEST(Duration, IsRough) {
  EXPECT_EQ(duration(59), "59 s");
  EXPECT_EQ(duration(3 * 3600 + 5), "3 h");
  EXPECT_EQ(duration(200'000), "2 days");
}

// ---- the verbs

TEST_F(CnioctlLook, StatusSaysWhatIsWrong) {
  const Outcome said = status(facts_, {}, false);
  EXPECT_EQ(said.exit, Exit::kFound);
  EXPECT_EQ(said.out,
            "node-1, up 3 h, kernel 6.1.0, plugins " CNIO_VERSION
            ", 2 pods\n"
            "  ok     mynet  cni0 10.1.0.1/24, 2 pods, 4 of 253 addresses, masquerade nftables, not to 10.0.0.0/8\n"
            "  WRONG  mynet  1 pod (container c2): no masquerade rule: cnioctl resync --dry-run [no-rule]\n"
            "  stale  mynet  1 pod whose sandbox is gone: cnioctl gc --dry-run\n"
            "  note   mynet  /store/mynet/10.1.0.9 is no reservation: link to /etc/\\x1b[2J [foreign-file]\n");
}

TEST_F(CnioctlLook, StatusIsWellIfAllIs) {
  of(1).rules = {masquerade("10.1.0.3")};
  facts_.world.attached.pop_back();
  count();
  EXPECT_EQ(status(facts_, {}, false).exit, Exit::kWell);
  facts_.world.blind.blind("/somewhere", Error::make(Code::kIo, "closed\x1b"));
  const Outcome blind = status(facts_, {}, false);
  EXPECT_EQ(blind.exit, Exit::kBlind);
  EXPECT_EQ(blind.err, "cnioctl: could not look at /somewhere: closed\\x1b\n");
}

TEST_F(CnioctlLook, StatusAsJsonHasTheSame) {
  const Json said = Json::parse(status(facts_, {}, true).out);
  EXPECT_EQ(said.at("schema"), "cnioctl/1");
  EXPECT_EQ(said.at("pods"), 2);
  EXPECT_EQ(said.at("problems").at(0).at("kind"), "no-rule");
  EXPECT_EQ(said.at("networks").at(0).at("gone"), 1);
}

TEST_F(CnioctlLook, ProblemsHaveFixedNames) {
  EXPECT_THAT(kinds(), ElementsAre("no-rule"));
  of(0).rules[0].addresses.clear();
  EXPECT_THAT(kinds(), ElementsAre("no-rule", "wrong-rule"));
  of(0).host_ends[0].master = net::IfIndex::kNone;
  facts_.node.forwards_ipv4 = false;
  facts_.node.misroutes = {{"mynet", ip("10.1.0.2"), "eth0", "cni0"}};
  own("10.1.0.9/24", kEth0);
  add("c4", "10.1.0.2", Life::kLive).rules = {masquerade("10.1.0.2")};
  EXPECT_THAT(kinds(), ElementsAre("port-lost", "no-rule", "no-forwarding", "duplicate-address", "duplicate-gateway",
                                   "no-route"));
}

TEST_F(CnioctlLook, AMissingBridgeIsOne) {
  std::erase_if(facts_.world.links, [](const net::Link& each) { return each.index == kBridge; });
  EXPECT_THAT(kinds(), ElementsAre("no-bridge", "no-rule"));
}

TEST_F(CnioctlLook, RulesThatCouldNotBeReadAreNotMissing) {
  facts_.world.knows_rules = false;
  EXPECT_THAT(kinds(), IsEmpty());
}

TEST_F(CnioctlLook, APoolRunsLow) {
  facts_.networks[0].sets = {ipam::RangeSet({ipam::default_range(cidr("10.1.0.0/29"))})};
  of(1).rules = {masquerade("10.1.0.3")};
  count();
  EXPECT_THAT(kinds(), IsEmpty()) << "2 of 5 are free";
  add("c5", "10.1.0.5", Life::kUnknown);
  add("c6", "10.1.0.6", Life::kUnknown);
  count();
  EXPECT_THAT(kinds(), ElementsAre("pool-low"));
}

TEST_F(CnioctlLook, PodsAreATable) {
  EXPECT_EQ(pods(facts_, false, false).out,
            "POD           NETWORK  INTERFACE  ADDRESSES  HOST END  STATE\n"
            "default/web   mynet    eth0       10.1.0.2   veth-c1   live\n"
            "container c2  mynet    eth0       10.1.0.3   veth-c2   live   ! no masquerade rule\n");
  EXPECT_THAT(pods(facts_, true, false).out, HasSubstr("container c3"));
  EXPECT_EQ(Json::parse(pods(facts_, true, true).out).at("pods").size(), 3U);
}

TEST_F(CnioctlLook, WhoTellsAllOfAnAddress) {
  const Outcome said = who(facts_, "10.1.0.2", false);
  EXPECT_EQ(said.exit, Exit::kWell);
  EXPECT_EQ(said.out,
            "10.1.0.2  live  default/web  container c1  eth0\n"
            "  network      mynet, from /etc/cni/net.d/10-mynet.conf\n"
            "  state        live: host end is there\n"
            "  host end     veth-c1 in cni0, up\n"
            "  rules        masquerade: inet cnio_masquerade att-1-2\n"
            "  reservation  /store/mynet/10.1.0.2\n");
}

TEST_F(CnioctlLook, WhoTakesWhateverNamesOne) {
  firewall::OwnedRules ports = masquerade("10.1.0.2");
  ports.kind = firewall::RuleKind::kPortMap;
  ports.ports = {{6, 8080, 80, std::nullopt}};
  of(0).rules.push_back(ports);
  for (const char* thing : {"10.1.0.2", "8080", "tcp/8080", "veth-c1", "default/web", "web", "c1", "c1/eth0"}) {
    EXPECT_THAT(who(facts_, thing, false).out, HasSubstr("container c1 ")) << thing;
  }
  EXPECT_THAT(who(facts_, "8080", false).out, HasSubstr("tcp *:8080 -> 80"));
  EXPECT_THAT(who(facts_, "10.1.0.1", false).out, HasSubstr("this node's own, of cni0"));
  EXPECT_THAT(who(facts_, "cni0", false).out, HasSubstr("a bridge of this node, with 2 ports; network mynet is on it"));
  EXPECT_THAT(who(facts_, "10.1.0.77", false).out, HasSubstr("is free in 10.1.0.0/24 of network mynet"));
  EXPECT_THAT(who(facts_, "10.1.0.9", false).out, HasSubstr("is no reservation: link to /etc/\\x1b"));
}

TEST_F(CnioctlLook, WhoSaysThatNobodyIsIt) {
  for (const char* thing : {"192.0.2.99", "udp/8080", "veth9", "x\x1b[2J", "70000"}) {
    const Outcome said = who(facts_, thing, false);
    EXPECT_EQ(said.exit, Exit::kNothing) << thing;
    EXPECT_EQ(said.out + said.err, "cnioctl: nobody here has " + shown(thing) + "\n");
  }
}

TEST_F(CnioctlLook, WhoAsJsonHasTheSameKeysForAll) {
  const Json said = Json::parse(who(facts_, "c3", true).out).at("found").at(0);
  for (const char* key : {"network", "container", "ifname", "pod", "addresses", "state", "reason", "hostEnds",
                          "sandbox", "rules", "reservations", "recorded", "cache", "problems"}) {
    EXPECT_TRUE(said.contains(key)) << key;
  }
  EXPECT_EQ(said.at("state"), "gone");
}

TEST_F(CnioctlLook, IpamCountsByState) {
  facts_.pools[0].pools[0].next = ip("10.1.0.5");
  EXPECT_EQ(ipam(facts_, "", false).out,
            "network  range        size  live  rebooted  gone  unknown  foreign  free  next\n"
            "mynet    10.1.0.0/24  253   2     0         1     0        1        249   10.1.0.5\n"
            "  foreign: /store/mynet/10.1.0.9 (link to /etc/\\x1b[2J)\n");
  EXPECT_EQ(ipam(facts_, "stale", false).out,
            "10.1.0.4  mynet  container c3  gone  /run/netns/x is not there any more\n");
  EXPECT_EQ(ipam(facts_, "gone", false).exit, Exit::kFound);
  EXPECT_EQ(Json::parse(ipam(facts_, "foreign", true).out).at("addresses").at(0).at("state"), "foreign");
  EXPECT_EQ(Json::parse(ipam(facts_, "", true).out).at("networks").at(0).at("pools").at(0).at("free"), 249);
}

TEST_F(CnioctlLook, AddressesOutsideOfAllRangesAreCounted) {
  add("c9", "10.9.0.2", Life::kUnknown);
  count();
  EXPECT_THAT(ipam(facts_, "", false).out, HasSubstr("in no range"));
}

TEST_F(CnioctlLook, TreeHangsPodsOnTheirBridges) {
  of(1).host_ends[0].master = net::IfIndex::kNone;
  EXPECT_EQ(tree(facts_, false).out,
            "node-1  eth0 192.0.2.11/24, forwarding on\n"
            "├─ cni0  10.1.0.1/24  mynet  1 pod\n"
            "│  └─ veth-c1  10.1.0.2  default/web\n"
            "└─ in no bridge\n"
            "   └─ veth-c2  10.1.0.3  container c2  ! host end is not in bridge cni0, no masquerade rule\n");
  EXPECT_EQ(Json::parse(tree(facts_, true).out).at("bridges").size(), 2U);
}

TEST_F(CnioctlLook, MetricsAreForPrometheus) {
  const std::string text = metrics(facts_, "", false).out;
  for (const char* line :
       {"cnio_addresses{network=\"mynet\",range=\"10.1.0.0/24\",state=\"live\"} 2\n",
        "cnio_addresses_size{network=\"mynet\",range=\"10.1.0.0/24\"} 253\n",
        "cnio_attachments{network=\"mynet\",state=\"gone\"} 1\n", "cnio_problems{kind=\"no-rule\"} 1\n",
        "cnio_problems{kind=\"no-bridge\"} 0\n", "cnio_problems{kind=\"foreign-file\"} 1\n",
        "cnio_oldest_stale_seconds{network=\"mynet\"} 1000\n", "cnio_last_look_timestamp_seconds 1000000\n",
        "# TYPE cnio_problems gauge\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_EQ(metrics(facts_, "", false).exit, Exit::kWell);
}

TEST_F(CnioctlLook, MetricsGoIntoAFileAsAWhole) {
  test::TempFolder folder;
  const std::string file = folder.at("cnio.prom");
  EXPECT_EQ(metrics(facts_, file, false).exit, Exit::kWell);
  EXPECT_THAT(read_file(file, 1 << 20).value(), HasSubstr("cnio_problems"));
  EXPECT_EQ(metrics(facts_, folder.at("none/cnio.prom"), false).exit, Exit::kFound);
}

TEST_F(CnioctlLook, NothingHostileIsPrinted) {
  Attached& hostile = of(0);
  hostile.pod = "default/\x1b]0;x\x07\n";
  hostile.who.network = "net\xc2\x9b";
  hostile.who.attachment.ifname = "e\n0";
  hostile.host_ends[0].name = "v\x1b";
  hostile.verdict.reason = "\x1b[2J";
  hostile.cache_file = "/x\n";
  for (const Outcome& said :
       {status(facts_, {}, false), pods(facts_, true, false), who(facts_, "10.1.0.2", false),
        ipam(facts_, "live", false), tree(facts_, false), metrics(facts_, "", false), who(facts_, "10.1.0.2", true)}) {
    const std::string all = said.out + said.err;
    EXPECT_EQ(all.find_first_of("\x1b\x07"), std::string::npos) << all;
    EXPECT_THAT(all, Not(HasSubstr("\xc2\x9b")));
  }
  EXPECT_EQ(ipam(facts_, "live", false).out.find("\n\n"), std::string::npos);
}

// ---- configurations

TEST(Setup, IsOfTheFirstPlugin) {
  const auto setup = parse_setup(
      R"({"name":"n","plugins":[{"type":"bridge","isGateway":true,"ipMasq":true,"ipMasqExclude":["10.0.0.0/8"],"vlan":5},
          {"type":"portmap"}]})");
  ASSERT_OK(setup);
  EXPECT_EQ(setup.value().bridge, "cni0");
  EXPECT_EQ(setup.value().vlan, 5);
  EXPECT_TRUE(setup.value().gateway && setup.value().has_rules());
  EXPECT_THAT(setup.value().exclude, ElementsAre("10.0.0.0/8"));
  const auto other = parse_setup(R"({"type":"ptp","ipMasq":true,"ipMasqBackend":"iptables","bridge":7,"vlan":"x"})");
  ASSERT_OK(other);
  EXPECT_TRUE(other.value().gateway && other.value().bridge.empty());
  EXPECT_FALSE(other.value().has_rules());
  EXPECT_ERROR(parse_setup("["), Code::kDecode);
}

TEST(Networks, AreReadInTheirOrder) {
  test::TempFolder folder;
  folder.write("net/20-b.conf",
               R"({"cniVersion":"1.1.0","name":"b","type":"ptp","ipam":{"type":"host-local","subnet":"10.2.0.0/24"}})");
  folder.write("net/10-a.conflist",
               R"({"cniVersion":"1.1.0","name":"a","plugins":[{"type":"bridge","ipam":{"type":"host-local",
      "ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd01::/64"}]]}}]})");
  folder.write("net/05-lo.conf", R"({"name":"lo","type":"loopback"})");
  folder.write("net/30-broken.conf", "{");
  folder.write("net/notes.txt", "");
  Report report;
  const auto networks = read_networks(folder.at("net"), report);
  ASSERT_EQ(networks.size(), 2U);
  EXPECT_EQ(networks[0].name + networks[1].name, "ab");
  EXPECT_TRUE(networks[0].used && !networks[1].used);
  EXPECT_EQ(networks[0].sets.size(), 2U);
  EXPECT_EQ(networks[1].sets.size(), 1U);
  EXPECT_EQ(report.findings().size(), 1U);
}

}  // namespace
}  // namespace cnio::cnioctl
