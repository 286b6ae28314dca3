// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl lint --here`: what a network's file quarrels about with the node.
#include <sys/stat.h>

#include <gmock/gmock.h>

#include "cnioctl/lint.hpp"
#include "support/host.hpp"
#include "support/judge.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LintHere : public HostTest {
 protected:
  LintHere() {
    must_run({"ip", "link", "add", "eth0", "type", "bridge"});
    must_run({"ip", "address", "add", "192.0.2.11/24", "dev", "eth0"});
    must_run({"ip", "link", "set", "eth0", "up"});
    must_run({"ip", "route", "add", "default", "via", "192.0.2.254"});
    file_ = make_folder("net.d") + "/10-x.conf";
    for (const char* plugin : {"bridge", "ptp", "macvlan", "host-local"}) {
      const std::string path = plugins_ + "/" + plugin;
      write_file(path, "#!/bin/sh\n");
      EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    }
    write("bridge");
  }
  void write(const std::string& type, const std::string& subnet = "10.240.1.0/24") const {
    write_file(file_, R"({"cniVersion": "1.1.0", "name": "n", "type": ")" + type +
                          R"(", "ipam": {"type": "host-local", "subnet": ")" + subnet + R"("}})");
  }
  [[nodiscard]] std::vector<std::string> look(bool here = true) const {
    cnioctl::LintOptions options{{file_}};
    options.here = here;
    options.bin = plugins_;
    std::vector<std::string> out;
    const cnioctl::Report report = cnioctl::lint(options);
    for (const auto& each : report.findings()) {
      EXPECT_EQ(each.level, cnioctl::Level::kWarning);
      out.push_back(each.kind + ": " + each.what);
    }
    return out;
  }

  const std::string plugins_ = make_folder("bin");
  std::string file_;
};

TEST_F(LintHere, TheNetworksOwnBridgeAndItsVlansAreNoQuarrel) {
  must_run({"ip", "link", "add", "cni0", "type", "bridge"});
  must_run({"ip", "address", "add", "10.240.1.1/24", "dev", "cni0"});
  must_run({"ip", "link", "set", "cni0", "up"});
  must_run({"ip", "link", "add", "link", "cni0", "name", "cni0.7", "type", "macvlan"});
  must_run({"ip", "address", "add", "10.240.1.254/24", "dev", "cni0.7"});
  must_run({"ip", "route", "add", "10.240.0.0/16", "via", "192.0.2.1"});
  must_run({"ip", "address", "add", "10.240.1.0/32", "dev", "eth0"});  // as flannel and WireGuard have it
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(LintHere, FindsItsOwnAddressInTheSubnet) {
  must_run({"ip", "address", "add", "10.240.1.9/24", "dev", "eth0"});
  EXPECT_THAT(look(), ElementsAre("overlap: 10.240.1.0/24 covers 10.240.1.9/24 of eth0"));
  EXPECT_THAT(look(false), IsEmpty());
}

TEST_F(LintHere, FindsTheSubnetInsideOfItsOwnNetwork) {
  must_run({"ip", "address", "add", "10.240.7.9/16", "dev", "eth0"});
  EXPECT_THAT(look(), ElementsAre("overlap: 10.240.1.0/24 lies in the network of 10.240.7.9/16 of eth0"));
}

TEST_F(LintHere, FindsARouteElsewhere) {
  must_run({"ip", "route", "add", "10.240.1.128/25", "dev", "eth0"});
  EXPECT_THAT(look(), ElementsAre("overlap: 10.240.1.0/24 has addresses to which this node has a route by eth0: "
                                  "10.240.1.128/25"));
}

TEST_F(LintHere, LooksAtIpv6Too) {
  write("bridge", "fd00:1::/64");
  must_run({"ip", "address", "add", "fd00:1::9/64", "dev", "eth0", "nodad"});
  EXPECT_THAT(look(), ElementsAre("overlap: fd00:1::/64 covers fd00:1::9/64 of eth0"));
}

TEST_F(LintHere, CablesOfPtpAreItsOwn) {
  write("ptp");
  add_netns("pod");
  must_run({"ip", "link", "add", "veth1", "type", "veth", "peer", "name", "eth0", "netns", "pod"});
  must_run({"ip", "address", "add", "10.240.1.1/32", "dev", "veth1"});
  EXPECT_THAT(look(), IsEmpty());
  must_run({"ip", "address", "add", "10.240.1.1/32", "dev", "eth0"});
  EXPECT_THAT(look(), ElementsAre("overlap: 10.240.1.0/24 covers 10.240.1.1/32 of eth0"));
}

// Their pods are neighbours of the node.
TEST_F(LintHere, PluginsThatShareTheNodesNetworkMay) {
  write("macvlan", "192.0.2.0/24");
  EXPECT_THAT(look(), IsEmpty());
}

}  // namespace
}  // namespace cnio::test
