// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Ports of SCTP, which not every machine's kernel has.
#include "plugin/portmap_fixture.hpp"

namespace cnio::test {
namespace {

class PortmapOfSctp : public PortmapOfAnyBackend {
 protected:
  PortmapOfSctp() { must_run({"modprobe", "sctp"}); }

  static std::string sctp(const std::string& netns, const std::string& address) {
    return talk(netns, Talk::kSctp, address, 8080);
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, PortmapOfSctp, kPortmapBackends, name_of_backend);

TEST_P(PortmapOfSctp, EverybodyReachesThePort) {
  const Attachment c1 = make_pod("c1");
  const Attachment c2 = make_pod("c2");
  // Otherwise a pod with a private address does not begin to speak with one that is not.
  for (const Attachment& each : {c1, c2}) set_sysctl("net/sctp/addr_scope_policy", "0", each.netns);
  const Mirror server(c1.netns, Talk::kSctp, 80);
  EXPECT_EQ(sctp(c2.netns, "192.0.2.1"), "refused") << "nobody listens";
  must_add(config(c1, {mapping(8080, 80, "sctp")}), c1);
  EXPECT_TRUE(succeeded_silently(check(config(c1, {mapping(8080, 80, "sctp")}), c1)));
  EXPECT_EQ(sctp(outside(), "192.0.2.1"), "192.0.2.2");
  EXPECT_EQ(sctp(outside(), "2001:db8::1"), "2001:db8::2");
  EXPECT_EQ(sctp("", "192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(sctp("", "127.0.0.1"), "10.1.0.1");
  for (const Attachment& each : {c1, c2}) {
    EXPECT_EQ(sctp(each.netns, "192.0.2.1"), "10.1.0.1") << each.container;
    EXPECT_EQ(sctp(each.netns, "2001:db8::1"), "fd01::1") << each.container;
  }
  must_del(config(c1, {}), c1);
  EXPECT_EQ(sctp(outside(), "192.0.2.1"), "refused");
}

}  // namespace
}  // namespace cnio::test
