// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// STATUS of host-local, by itself and through bridge: could an ADD work now?
#include <sys/mount.h>

#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

const std::string kNetworks = "/var/lib/cni/networks";

class HostLocalStatus : public HostTest {
 protected:
  /// Alone and as the IPAM plugin of bridge, on the same ranges and the same store.
  static std::vector<Json> both(const Json& config) {
    Json bridge = bridge_config();
    bridge["name"] = config.at("name");
    bridge["ipam"] = config.at("ipam");
    return {config, bridge};
  }

  static void expect_unavailable(const Json& config, const std::vector<std::string>& words) {
    const Snapshot before = Snapshot::of_host();
    for (const Json& each : both(config)) {
      EXPECT_TRUE(failed(status(each), code::kUnavailable, words)) << each.dump();
    }
    EXPECT_TRUE(same(before, Snapshot::of_host())) << "STATUS leaves no trace";
  }

  static void expect_available(const Json& config) {
    const Snapshot before = Snapshot::of_host();
    for (const Json& each : both(config)) EXPECT_TRUE(succeeded_silently(status(each))) << each.dump();
    EXPECT_TRUE(same(before, Snapshot::of_host())) << "STATUS leaves no trace";
  }
};

TEST_F(HostLocalStatus, NamesAFullRangeAndItsCounts) {
  PARITY("T62 D2");
  const Json config = host_local_config({"fd01::/64", "10.1.0.0/29"});
  for (const char* id : {"c1", "c2", "c3", "c4"}) must_add(config, pod(id));
  expect_available(config);
  must_add(config, pod("c5"));
  expect_unavailable(config, {"no free address in 10.1.0.0/29 (5 of 5 reserved) of network \"store\"", kStore});
  must_del(config, pod("c1"));
  expect_available(config);
}

TEST_F(HostLocalStatus, NamesEveryFullRange) {
  PARITY("T62 D2");
  const Json config = host_local_config({"10.1.0.0/30", "fd01::/126", "10.2.0.0/24"});
  must_add(config, pod("c1"));
  must_add(host_local_config({"fd01::/126"}), pod("c2"));
  expect_unavailable(config, {"10.1.0.0/30 (1 of 1 reserved)", "fd01::/126 (2 of 2 reserved)"});
}

TEST_F(HostLocalStatus, CountsWithoutWhatIsExcluded) {
  Json config = host_local_config({"10.1.0.0/29"});
  config["ipam"]["exclude"] = {"10.1.0.4/30"};
  must_add(config, pod("c1"));
  must_add(config, pod("c2"));
  expect_unavailable(config, {"(2 of 2 reserved)", "ipam.exclude"});
}

TEST_F(HostLocalStatus, ATornReservationIsNoReasonToWorry) {
  PARITY("T62 D24");
  write_file(kStore + "/10.1.0.2", "");
  expect_available(host_local_config({"10.1.0.0/30"}));
}

TEST_F(HostLocalStatus, OfAReadOnlyStore) {
  PARITY("T62 D2");
  std::filesystem::create_directories(kNetworks);
  ASSERT_EQ(::mount("frozen", kNetworks.c_str(), "tmpfs", MS_RDONLY, nullptr), 0);
  expect_unavailable(host_local_config(), {kNetworks, "Read-only file system"});
}

TEST_F(HostLocalStatus, WithoutInodes) {
  PARITY("T62 D2");
  std::filesystem::create_directories(kStore);
  ASSERT_EQ(::mount("small", kStore.c_str(), "tmpfs", 0, "nr_inodes=1"), 0);
  expect_unavailable(host_local_config(), {kStore, "No space left on device"});
}

TEST_F(HostLocalStatus, WithoutSpace) {
  PARITY("T62 D2");
  std::filesystem::create_directories(kNetworks);
  ASSERT_EQ(::mount("small", kNetworks.c_str(), "tmpfs", 0, "size=64k"), 0);
  expect_available(host_local_config());
  write_file(kNetworks + "/large", std::string(64U << 10U, 'x'));
  expect_unavailable(host_local_config(), {kNetworks, "No space left on device"});
}

TEST_F(HostLocalStatus, WithAFileInPlaceOfAFolder) {
  PARITY("T62 D2");
  write_file(kNetworks, "");
  expect_unavailable(host_local_config(), {kNetworks, "Not a directory"});
}

TEST_F(HostLocalStatus, WithoutItsResolverFile) {
  PARITY("T62 T86 D2");
  Json config = host_local_config();
  for (const char* path : {"/run/test/none", "/run"}) {
    config["ipam"]["resolvConf"] = path;
    expect_unavailable(config, {"ipam.resolvConf", path});
  }
}

TEST_F(HostLocalStatus, WithABrokenConfiguration) {
  PARITY("T62 D2");
  Json config = host_local_config();
  config["ipam"]["exclude"] = {"10.1.0.9", "ten"};
  for (const Json& each : both(config)) {
    EXPECT_TRUE(failed(status(each), code::kConfig, {"\"ipam.exclude[1]\"", "ten"})) << each.dump();
  }
}

}  // namespace
}  // namespace cnio::test
