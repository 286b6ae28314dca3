// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/conntrack.hpp"

#include <algorithm>
#include <fstream>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net_fixture.hpp"

namespace {
int walks = 0;  // dumps of the kernel's table that were asked for
}  // namespace

/// Stands before the C library's: counts, and passes on.
extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (message->msg_iovlen != 0 && message->msg_iov[0].iov_len >= sizeof(nlmsghdr)) {
    const auto* header = static_cast<const nlmsghdr*>(message->msg_iov[0].iov_base);
    const bool dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    if (dump && header->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET)) ++walks;
  }
  return ::syscall(SYS_sendmsg, fd, message, flags);
}

namespace cnio::test {
namespace {

/// Connections as `conntrack` puts them into the kernel's table and reads them from it.
class ConntrackTest : public NetTest {
 protected:
  /// A connection from port 1000 to port 53; `answers` (optional) says between which addresses answers are sent.
  static std::string line(const std::string& protocol, const std::string& from, const std::string& to,
                          const std::string& answers = "", int port = 1000) {
    const std::string numbers = std::to_string(port);
    return "-I -t 600 -p " + protocol + " -s " + from + " -d " + to + " --sport " + numbers + " --dport 53" +
           (protocol == "tcp" ? " --state ESTABLISHED" : "") +
           (answers.empty() ? "" : " " + answers + " --reply-port-src 53 --reply-port-dst " + numbers);
  }
  static void add(const std::vector<std::string>& lines) {
    std::string all;
    for (const std::string& each : lines) all += each + "\n";
    must_feed({"conntrack", "-R", "-"}, all);
  }

  /// "udp 10.1.0.2 192.0.2.2": protocol, source and destination of each, in order.
  static std::vector<std::string> connections() {
    std::vector<std::string> out;
    for (const char* family : {"ipv4", "ipv6"}) {
      std::istringstream lines(must_run({"conntrack", "-L", "-f", family}));
      for (std::string line; std::getline(lines, line);) {
        const auto word = [&](const std::string& key) {
          const size_t at = line.find(key) + key.size();
          return line.substr(at, line.find(' ', at) - at);
        };
        out.push_back(line.substr(0, line.find(' ')) + " " + word("src=") + " " + word("dst="));
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  static Status forget(const std::vector<const char*>& texts) {
    std::vector<IpAddr> addresses;
    for (const char* text : texts) addresses.push_back(*IpAddr::parse(text));
    return net::forget_connections(addresses);
  }

  /// Some of 10.1.0.2, fd01::2 and of others.
  static void add_some() {
    add({line("udp", "10.1.0.2", "192.0.2.2"),
         line("tcp", "10.1.0.2", "192.0.2.2", "--reply-src 192.0.2.2 --reply-dst 192.0.2.1"),
         line("udp", "192.0.2.2", "10.1.0.2"),
         line("tcp", "192.0.2.2", "192.0.2.1", "--reply-src 10.1.0.2 --reply-dst 192.0.2.2"),
         line("udp", "10.1.0.3", "192.0.2.2"), line("udp", "192.0.2.3", "10.1.0.20"),
         line("udp", "fd01::2", "2001:db8::2"), line("tcp", "2001:db8::2", "fd01::2"),
         line("udp", "fd01::20", "2001:db8::2")});
  }
  static inline const std::vector<std::string> kOthers = {"udp 10.1.0.3 192.0.2.2", "udp 192.0.2.3 10.1.0.20",
                                                          "udp fd01::20 2001:db8::2"};
};

using ::testing::ElementsAreArray;

TEST_F(ConntrackTest, ConnectionsOfTheAddressesAreForgottenInEitherDirection) {
  add_some();
  ASSERT_EQ(connections().size(), 9U);
  EXPECT_OK(forget({"10.1.0.2", "fd01::2"}));
  EXPECT_THAT(connections(), ElementsAreArray(kOthers));
  EXPECT_OK(forget({"10.1.0.2", "fd01::2"}));
  EXPECT_THAT(connections(), ElementsAreArray(kOthers));
}

// To the host's own 192.0.2.1 and 2001:db8::1, and to others.
class PortsOfHost : public ConntrackTest {
 protected:
  PortsOfHost() {
    must_run({"ip", "link", "add", "up0", "type", "bridge"});
    must_run({"ip", "addr", "add", "192.0.2.1/24", "dev", "up0"});
    must_run({"ip", "addr", "add", "192.0.2.9/24", "dev", "up0"});
    must_run({"ip", "addr", "add", "2001:db8::1/64", "dev", "up0", "nodad"});
    add({line("udp", "192.0.2.2", "192.0.2.1"), line("udp", "192.0.2.2", "192.0.2.9"),
         line("udp", "127.0.0.1", "127.9.9.9"), line("udp", "2001:db8::2", "2001:db8::1"),
         line("tcp", "192.0.2.2", "192.0.2.1"), line("udp", "10.1.0.2", "192.0.2.53")});
  }
  static net::HostPort port(Family family, const char* host = nullptr, uint16_t number = 53) {
    return {IPPROTO_UDP, family, host != nullptr ? IpAddr::parse(host) : std::nullopt, number};
  }
};

TEST_F(PortsOfHost, ConnectionsToOneOfAnyAddressAreForgotten) {
  EXPECT_OK(net::forget_connections_to({port(Family::kIpv4), port(Family::kIpv4, nullptr, 54)}));
  EXPECT_THAT(connections(),
              ElementsAreArray({"tcp 192.0.2.2 192.0.2.1", "udp 10.1.0.2 192.0.2.53", "udp 2001:db8::2 2001:db8::1"}));
  EXPECT_OK(net::forget_connections_to({port(Family::kIpv6)}));
  EXPECT_THAT(connections(), ElementsAreArray({"tcp 192.0.2.2 192.0.2.1", "udp 10.1.0.2 192.0.2.53"}));
}

TEST_F(PortsOfHost, ConnectionsToOneOfAnAddressAreForgotten) {
  EXPECT_OK(net::forget_connections_to({port(Family::kIpv4, "192.0.2.9"), port(Family::kIpv4, "192.0.2.1", 54)}));
  EXPECT_EQ(connections().size(), 5U);
  EXPECT_OK(net::forget_connections_to({}));
  EXPECT_EQ(connections().size(), 5U);
}

TEST_F(ConntrackTest, ConnectionsThatWereLedToAPodAreForgotten) {
  add({line("udp", "192.0.2.2", "192.0.2.1", "--reply-src 10.1.0.2 --reply-dst 192.0.2.2"),
       line("udp", "192.0.2.3", "192.0.2.1", "--reply-src 10.1.0.3 --reply-dst 192.0.2.3"),
       line("tcp", "192.0.2.4", "192.0.2.1", "--reply-src 10.1.0.2 --reply-dst 192.0.2.4"),
       line("udp", "192.0.2.5", "10.1.0.2")});
  const net::LedConnections led = {IPPROTO_UDP, 53, *IpAddr::parse("10.1.0.2"), 53};
  net::LedConnections other = led;
  other.pod_port = 54;
  EXPECT_OK(net::forget_led_connections({other}));
  EXPECT_EQ(connections().size(), 4U);
  EXPECT_OK(net::forget_led_connections({led}));
  EXPECT_THAT(connections(),
              ElementsAreArray({"tcp 192.0.2.4 192.0.2.1", "udp 192.0.2.3 192.0.2.1", "udp 192.0.2.5 10.1.0.2"}));
}

// More than the code under test would look through by itself.
TEST_F(ConntrackTest, WhereThereAreManyTheKernelPicksThem) {
  std::vector<std::string> many;
  for (int i = 0; i < 10'001; ++i) {
    many.push_back(line("udp", "10.9." + std::to_string(i / 250) + "." + std::to_string(i % 250), "192.0.2.2"));
  }
  for (int port = 2000; port < 2600; ++port) many.push_back(line("udp", "10.1.0.2", "192.0.2.2", "", port));
  add(many);
  add_some();
  EXPECT_OK(forget({"10.1.0.2", "fd01::2"}));
  auto left = connections();
  std::erase_if(left, [](const std::string& each) { return each.starts_with("udp 10.9."); });
  EXPECT_THAT(left, ElementsAreArray(kOthers));
  EXPECT_EQ(read_file("/proc/sys/net/netfilter/nf_conntrack_count"), std::to_string(10'001 + left.size()) + "\n");
}

/// So many connections of one address, from one port each.
std::vector<std::string> crowd(const std::string& address, int count) {
  std::vector<std::string> lines;
  for (int port = 1; port <= count; ++port) {
    lines.push_back("-I -t 600 -p udp -s " + address + " -d 192.0.2." + std::to_string(1 + port % 2) + " --sport " +
                    std::to_string(port) + " --dport 53");
  }
  return lines;
}

/// By the address sanitizer, for a while.
#if defined(__has_feature)
constexpr bool kFreedMemoryIsKept = __has_feature(address_sanitizer);
#elif defined(__SANITIZE_ADDRESS__)
constexpr bool kFreedMemoryIsKept = true;
#else
constexpr bool kFreedMemoryIsKept = false;
#endif

/// In kB: "VmHWM:" is the most that the process has had in memory since the reset.
long memory(const std::string& what) {
  std::ifstream lines("/proc/self/status");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(what)) return std::stol(line.substr(what.size()));
  }
  throw std::runtime_error("no " + what);
}

// A pod opens as many as it likes, and its DEL must not pay for that with the node's memory.
TEST_F(ConntrackTest, MemoryDoesNotGrowWithConnections) {
  FAULT("A2 connections of a pod");
  const int room = std::stoi(read_file("/proc/sys/net/netfilter/nf_conntrack_max"));
  const int count = std::min(60'000, room / 3);  // a small machine has room for fewer
  ASSERT_GT(count, 5'000);
  add(crowd("10.1.0.2", count));
  add(crowd("10.1.0.3", count));
  add_some();
  ASSERT_GT(std::stoi(read_file("/proc/sys/net/netfilter/nf_conntrack_count")), 2 * count);
  write_file("/proc/self/clear_refs", "5");
  const long before = memory("VmRSS:");
  EXPECT_OK(forget({"10.1.0.2", "10.1.0.3", "fd01::2"}));
  const long grown = memory("VmHWM:") - before;
  EXPECT_LT(std::stoi(read_file("/proc/sys/net/netfilter/nf_conntrack_count")), 10);
  EXPECT_LT(grown, kFreedMemoryIsKept ? 512 * 1024 : 8 * 1024) << "kB";
}

// It is the pod that can have thousands of addresses.
TEST_F(ConntrackTest, TheTableIsWalkedThroughOnceForManyAddresses) {
  FAULT("A2 addresses of a pod");
  std::vector<std::string> lines;
  std::vector<std::string> texts;
  for (int i = 0; i < 1'500; ++i) {
    texts.push_back("10.8." + std::to_string(i / 250) + "." + std::to_string(i % 250));
    lines.push_back(line("udp", texts.back(), "192.0.2.2"));
  }
  add(lines);
  add(crowd("10.1.0.3", 10'001));
  std::vector<const char*> addresses;
  for (const std::string& text : texts) addresses.push_back(text.c_str());
  walks = 0;
  EXPECT_OK(forget(addresses));
  EXPECT_EQ(walks, 1);
  EXPECT_EQ(read_file("/proc/sys/net/netfilter/nf_conntrack_count"), "10001\n");
  walks = 0;
  EXPECT_OK(forget({"10.1.0.3", "10.1.0.3"}));
  EXPECT_EQ(walks, 2) << "one for each direction, filtered by the kernel";
  EXPECT_EQ(read_file("/proc/sys/net/netfilter/nf_conntrack_count"), "0\n");
}

// The caller's socket is in use while the table is walked through: a full portion needs another.
TEST_F(ConntrackTest, ACallersSocketServesForAll) {
  FAULT("A2 connections of a pod");
  add(crowd("10.1.0.2", 2'500));
  auto netfilter = net::Netlink::open(NETLINK_NETFILTER);
  ASSERT_OK(netfilter);
  ASSERT_OK(net::forget_connections({*IpAddr::parse("10.1.0.2")}, &netfilter.value()));
  EXPECT_EQ(read_file("/proc/sys/net/netfilter/nf_conntrack_count"), "0\n");
  add_some();
  ASSERT_OK(net::forget_connections({*IpAddr::parse("10.1.0.2"), *IpAddr::parse("fd01::2")}, &netfilter.value()));
  EXPECT_THAT(connections(), ElementsAreArray(kOthers));
}

TEST_F(ConntrackTest, OtherNamespacesAreNotConcerned) {
  const std::string other = add_netns("other");
  add_some();
  must_feed({"conntrack", "-R", "-"}, line("udp", "10.1.0.2", "192.0.2.2") + "\n", other);
  EXPECT_OK(forget({"10.1.0.2"}));
  EXPECT_NE(must_run({"conntrack", "-L"}, other).find("src=10.1.0.2"), std::string::npos);
}

TEST_F(ConntrackTest, AreFoundInEveryZone) {
  add({line("udp", "10.1.0.2", "192.0.2.2") + " --zone 7", line("udp", "10.1.0.3", "192.0.2.2")});
  EXPECT_OK(forget({"10.1.0.2"}));
  EXPECT_THAT(connections(), ElementsAreArray({"udp 10.1.0.3 192.0.2.2"}));
}

TEST_F(ConntrackTest, NoConnectionAndNoAddressAreSuccess) {
  EXPECT_OK(forget({"10.1.0.2"}));
  add_some();
  EXPECT_OK(forget({}));
  EXPECT_EQ(connections().size(), 9U);
}

}  // namespace
}  // namespace cnio::test
