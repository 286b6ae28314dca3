// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What ADD of ptp needs of the host's settings, and what the host hears of a pod.
#include <algorithm>

#include "plugin/ptp_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PtpHost : public PtpTest {};

class ReadOnlySettings {
 public:
  ReadOnlySettings() {
    must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
    must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  }
  ~ReadOnlySettings() { must_run({"umount", "/proc/sys"}); }
};

TEST_F(PtpHost, ForwardingThatCannotBeSwitchedOn) {
  PARITY("T-M25 M5");
  pod();
  const Snapshot before = Snapshot::of_host().without_cursors();
  {
    const ReadOnlySettings settings;
    EXPECT_TRUE(failed(add(ptp_config(), pod()), code::kIo, {"ip_forward"}));
    EXPECT_FALSE(store_holds("10.1.0.2"));
    EXPECT_THAT(link_names(pod().netns), IsEmpty());
  }
  EXPECT_TRUE(same(before, Snapshot::of_host().without_cursors()));
}

TEST_F(PtpHost, ReadOnlySettingsAreNoObstacleIfForwardingIsOn) {
  PARITY("T-M25");
  set_sysctl("net/ipv4/ip_forward", "1");
  set_sysctl("net/ipv6/conf/all/forwarding", "1");
  const ReadOnlySettings settings;
  must_add(dual_ptp_config(), pod());
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
}

TEST_F(PtpHost, Ipv6ThatIsOffForNewInterfacesIsSwitchedOn) {
  PARITY("T-M29 M33");
  for (const std::string& place : {std::string(), pod("c2").netns})
    set_sysctl("net/ipv6/conf/default/disable_ipv6", "1", place);
  for (const char* id : {"c1", "c2"}) {
    const Json result = must_add(ptp_config({"fd01::/64"}), pod(id));
    EXPECT_TRUE(ping(pod(id).netns, "fd01::1")) << id;
    EXPECT_TRUE(ping("", address_of(result))) << id;
  }
  const Json result = must_add(ptp_config(), pod("c3"));
  EXPECT_EQ(sysctl("net/ipv6/conf/" + host_end(result) + "/disable_ipv6"), "1") << "it has no use for it";
}

TEST_F(PtpHost, TheHostIsDeafToRouterAdvertisementsOfPods) {
  const Json result = must_add(dual_ptp_config(), pod());
  EXPECT_EQ(sysctl("net/ipv6/conf/" + host_end(result) + "/accept_ra"), "0");
  // From the moment at which the pod could send any: an IPAM plugin that uses the link has it up.
  FakeIpam fake;
  fake.script("ADD", {{.out = answer_of("fd02::2/64", "fd02::1").dump(),
                       .hook = "! grep -qv 0 /proc/sys/net/ipv6/conf/veth*/accept_ra"}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_ptp(), pod("c2")))));
}

// ---- announcements

TEST_F(PtpHost, AddressesAreAnnouncedToTheHost) {
  PARITY("T-M30 M22");
  Command capture{.argv = {"tcpdump", "-i", "any", "-nl", "--immediate-mode", "-c", "2",
                           "(arp[6:2]=1 and arp[14:4]=arp[24:4]) or (icmp6[0]=136 and icmp6[8:2]=0xfd01)"}};
  Child heard(capture);
  const auto listens = [] {
    const std::string sockets = read_file("/proc/net/packet");
    return std::count(sockets.begin(), sockets.end(), '\n') > 1;
  };
  ASSERT_TRUE(happens(listens));
  must_add(dual_ptp_config(), pod());
  const std::string seen = heard.wait().out;
  EXPECT_THAT(seen, HasSubstr("10.1.0.2"));
  EXPECT_THAT(seen, HasSubstr("fd01::2"));
}

TEST_F(PtpHost, AnAddressThatAnotherPodHadWorksAtOnce) {
  PARITY("T-M30");
  Json config = dual_ptp_config();
  config["ipam"]["ranges"] = one_address_ranges("2");
  for (const char* id : {"c1", "c2", "c3"}) {
    must_add(config, pod(id));
    for (const char* address : {"10.1.0.2", "fd01::2"}) EXPECT_TRUE(ping("", address)) << id;
    must_del(config, pod(id));
  }
}

}  // namespace
}  // namespace cnio::test
