// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/conntrack.hpp"

#include <algorithm>

#include "net_fixture.hpp"

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
