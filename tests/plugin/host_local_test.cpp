// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return 0;
  return status.st_mode & 07777U;
}

std::set<std::string> store_names() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kStore)) names.insert(entry.path().filename());
  return names;
}

class HostLocal : public HostTest {};

TEST_F(HostLocal, RangesComeInOrder) {
  PARITY("T74");
  Json config = host_local_config({"10.3.0.0/24"});
  config["ipam"]["subnet"] = "10.2.0.0/24";
  config["runtimeConfig"]["ipRanges"] = Json::parse(R"([[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd01::/64"}]])");
  EXPECT_EQ(addresses_of(must_add(config, pod("c1"))),
            (std::vector<std::string>{"10.1.0.2/24", "fd01::2/64", "10.2.0.2/24", "10.3.0.2/24"}));
}

TEST_F(HostLocal, OldVersionsHaveRoomForOneAddressOfAFamily) {
  PARITY("T75");
  const std::vector<std::string> subnets{"10.1.0.0/24", "10.2.0.0/24"};
  for (const char* version : {"0.1.0", "0.2.0", ""}) {
    EXPECT_TRUE(failed(add(host_local_config(subnets, version), pod("c1")), code::kConfig, {"cniVersion"})) << version;
  }
  EXPECT_FALSE(std::filesystem::exists(kStore));
  EXPECT_EQ(must_add(host_local_config(subnets, "0.3.0"), pod("c1")).at("ips").size(), 2U);
  EXPECT_TRUE(must_add(host_local_config({"10.3.0.0/24", "fd01::/64"}, "0.2.0"), pod("c2")).contains("ip6"));
}

struct BadRange {
  std::string name;
  std::string ranges;
  std::vector<std::string> words;
};

void PrintTo(const BadRange& bad, std::ostream* out) { *out << bad.ranges; }

class BadRanges : public HostTest, public ::testing::WithParamInterface<BadRange> {};

INSTANTIATE_TEST_SUITE_P(
    Table, BadRanges,
    ::testing::Values(
        BadRange{"HostBits", R"([[{"subnet": "10.1.0.5/24"}]])", {"10.1.0.5/24"}},
        BadRange{"TooSmall4", R"([[{"subnet": "10.1.0.0/31"}]])", {"10.1.0.0/31"}},
        BadRange{"OneAddress4", R"([[{"subnet": "10.1.0.0/32"}]])", {"10.1.0.0/32"}},
        BadRange{"TooSmall6", R"([[{"subnet": "fd01::/127"}]])", {"fd01::/127"}},
        BadRange{"Mapped", R"([[{"subnet": "::ffff:10.1.0.0/120"}]])", {"subnet"}},
        BadRange{"NoPrefix", R"([[{"subnet": "10.1.0.0"}]])", {"10.1.0.0"}},
        BadRange{"Nonsense", R"([[{"subnet": "ten"}]])", {"ten"}},
        BadRange{"LongPrefix", R"([[{"subnet": "10.1.0.0/33"}]])", {"10.1.0.0/33"}},
        BadRange{"NoSubnet", R"([[{"rangeStart": "10.1.0.5"}]])", {"subnet"}},
        BadRange{"StartAfterEnd",
                 R"([[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.8"}]])",
                 {"10.1.0.9"}},
        BadRange{"StartOutside", R"([[{"subnet": "10.1.0.0/24", "rangeStart": "10.2.0.9"}]])", {"10.2.0.9"}},
        BadRange{"EndOutside", R"([[{"subnet": "10.1.0.0/24", "rangeEnd": "10.2.0.9"}]])", {"10.2.0.9"}},
        BadRange{"StartOtherFamily", R"([[{"subnet": "10.1.0.0/24", "rangeStart": "fd01::9"}]])", {"fd01::9"}},
        BadRange{"StartNonsense", R"([[{"subnet": "10.1.0.0/24", "rangeStart": "x"}]])", {"rangeStart"}},
        BadRange{"GatewayNonsense", R"([[{"subnet": "10.1.0.0/24", "gateway": "x"}]])", {"gateway"}},
        BadRange{"GatewayOtherFamily", R"([[{"subnet": "10.1.0.0/24", "gateway": "fd01::1"}]])", {"fd01::1"}},
        BadRange{"MixedFamilies", R"([[{"subnet": "10.1.0.0/24"}, {"subnet": "fd01::/64"}]])", {"famil"}},
        BadRange{"OverlapInASet", R"([[{"subnet": "10.1.0.0/16"}, {"subnet": "10.1.3.0/24"}]])", {"overlap"}},
        BadRange{"OverlapOfSets", R"([[{"subnet": "10.1.0.0/16"}], [{"subnet": "10.1.3.0/24"}]])", {"overlap"}},
        BadRange{"EmptySet", R"([[{"subnet": "10.1.0.0/24"}], []])", {"ranges"}},
        BadRange{"NoSet", R"([])", {"range"}}),
    [](const auto& test) { return test.param.name; });

TEST_P(BadRanges, AreRefusedBeforeAnyChange) {
  PARITY("T76 D31");
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(with_ranges(Json::parse(GetParam().ranges)), pod("c1")), code::kConfig, GetParam().words));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(HostLocal, TwoDisjointRangesOfOneSubnetFormAPool) {
  PARITY("T76");
  const Json config = with_ranges(Json::parse(
      R"([[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5", "rangeEnd": "10.1.0.5"},
           {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.9"}]])"));
  EXPECT_EQ(first_address(config, pod("c1")), "10.1.0.5/24");
  EXPECT_EQ(first_address(config, pod("c2")), "10.1.0.9/24");
  EXPECT_TRUE(failed(add(config, pod("c3")), code::kNoAddress, {"10.1.0.5"}));
}

TEST_F(HostLocal, AWholeSubnetIsHandedOut) {
  PARITY("T77");
  const Json config = host_local_config({"10.1.0.0/24"});
  for (int last = 2; last <= 254; ++last) {
    ASSERT_EQ(first_address(config, pod("c" + std::to_string(last))), "10.1.0." + std::to_string(last) + "/24");
  }
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, pod("late")), code::kNoAddress, {"10.1.0.0/24"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(HostLocal, TheLastIpv6AddressIsUsedToo) {
  PARITY("T77");
  const Json config = with_ranges(Json::parse(R"([[{"subnet": "fd01::/120", "rangeStart": "fd01::fe"}]])"));
  EXPECT_EQ(first_address(config, pod("c1")), "fd01::fe/120");
  EXPECT_EQ(first_address(config, pod("c2")), "fd01::ff/120");
  EXPECT_TRUE(failed(add(config, pod("c3")), code::kNoAddress));
}

TEST_F(HostLocal, FreedAddressesAreReusedAsLateAsPossible) {
  PARITY("T78");
  const Json config = with_ranges(Json::parse(R"([[{"subnet": "10.1.0.0/29"}]])"));
  for (const char* id : {"c2", "c3", "c4"}) must_add(config, pod(id));
  must_del(config, pod("c3"));
  EXPECT_EQ(first_address(config, pod("c5")), "10.1.0.5/29");
  EXPECT_EQ(first_address(config, pod("c6")), "10.1.0.6/29");
  EXPECT_EQ(first_address(config, pod("c7")), "10.1.0.3/29") << "wraps to the first free one";
}

TEST_F(HostLocal, RequestedAddressesOfAllThreeSourcesAreHonoured) {
  PARITY("T79");
  Json config = host_local_config({"10.1.0.0/24", "10.2.0.0/24", "fd01::/64"});
  config["args"]["cni"]["ips"] = {"10.2.0.77/24"};
  config["runtimeConfig"]["ips"] = {"fd01::77"};
  EXPECT_EQ(addresses_of(must_add(config, pod("c1", "eth0", "IP=10.1.0.77"))),
            (std::vector<std::string>{"10.1.0.77/24", "10.2.0.77/24", "fd01::77/64"}));
  EXPECT_EQ(first_address(host_local_config(), pod("c2")), "10.1.0.78/24") << "the cursor follows a request";
}

TEST_F(HostLocal, ImpossibleRequestsLeaveNothing) {
  PARITY("T79");
  const Json config = host_local_config({"10.1.0.0/24", "10.2.0.0/24"});
  must_add(config, pod("taken", "eth0", "IP=10.1.0.9"));
  const Snapshot before = Snapshot::of_host().without_cursors();
  EXPECT_TRUE(failed(add(config, pod("c1", "eth0", "IP=10.1.0.9")), code::kNoAddress, {"10.1.0.9"}));
  EXPECT_TRUE(failed(add(config, pod("c1", "eth0", "IP=10.2.0.1")), code::kNoAddress, {"10.2.0.1"}));
  EXPECT_TRUE(failed(add(config, pod("c1", "eth0", "IP=10.9.0.9")), code::kConfig, {"10.9.0.9"}));
  Json two = config;
  two["runtimeConfig"]["ips"] = {"10.2.0.5", "10.2.0.6"};
  EXPECT_TRUE(failed(add(two, pod("c1")), code::kConfig, {"10.2.0."}));
  EXPECT_TRUE(same(before, Snapshot::of_host().without_cursors()));
}

TEST_F(HostLocal, DuplicateAddLeavesTheLiveAttachmentAlone) {
  PARITY("T80 D27");
  const Json config = host_local_config({"10.1.0.0/24", "10.2.0.0/24"});
  must_add(config, pod("c1"));
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, pod("c1")), code::kInTheWay, {"c1"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(failed(add(config, pod("c1", "eth0", "IP=10.1.0.50")), code::kInTheWay, {"c1"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(HostLocal, AnotherInterfaceOfTheContainerGetsItsOwnAddress) {
  const Json config = host_local_config();
  must_add(config, pod("c1", "eth0"));
  EXPECT_EQ(first_address(config, pod("c1", "eth1")), "10.1.0.3/24");
  must_del(config, pod("c1", "eth0"));
  EXPECT_FALSE(reserved("10.1.0.2"));
  EXPECT_TRUE(reserved("10.1.0.3"));
}

TEST_F(HostLocal, FilesAreExactlyTheReferences) {
  PARITY("T82");
  must_add(host_local_config({"10.1.0.0/24", "fd01::/64"}), pod("c1"));
  EXPECT_EQ(store_names(),
            (std::set<std::string>{"10.1.0.2", "fd01::2", "last_reserved_ip.0", "last_reserved_ip.1", "lock"}));
  EXPECT_EQ(read_file(kStore + "/10.1.0.2"), "c1\r\neth0");
  EXPECT_EQ(read_file(kStore + "/fd01::2"), "c1\r\neth0");
  EXPECT_EQ(read_file(kStore + "/last_reserved_ip.0"), "10.1.0.2");
  EXPECT_EQ(read_file(kStore + "/last_reserved_ip.1"), "fd01::2");
  EXPECT_EQ(read_file(kStore + "/lock"), "");
  EXPECT_EQ(mode_of("/var/lib/cni/networks"), 0755U);
  EXPECT_EQ(mode_of(kStore), 0755U);
  EXPECT_EQ(mode_of(kStore + "/10.1.0.2"), 0600U);
  EXPECT_EQ(mode_of(kStore + "/last_reserved_ip.0"), 0600U);
  EXPECT_EQ(mode_of(kStore + "/lock"), 0750U);
}

TEST_F(HostLocal, DeleteKeepsLockAndCursor) {
  PARITY("T82");
  must_add(host_local_config(), pod("c1"));
  EXPECT_TRUE(succeeded_silently(del(host_local_config(), pod("c1"))));
  EXPECT_EQ(store_names(), (std::set<std::string>{"last_reserved_ip.0", "lock"}));
  EXPECT_TRUE(succeeded_silently(del(host_local_config(), pod("c1")))) << "DEL can be repeated";
}

TEST_F(HostLocal, DataFolderIsHonoured) {
  PARITY("T82");
  Json config = host_local_config();
  config["ipam"]["dataDir"] = make_folder("data");
  must_add(config, pod("c1"));
  EXPECT_EQ(read_file("/run/test/data/store/10.1.0.2"), "c1\r\neth0");
  EXPECT_FALSE(std::filesystem::exists("/var/lib/cni"));
}

TEST_F(HostLocal, OtherFormsOfAReservationAreFound) {
  PARITY("T83");
  for (const std::string form : {"c1", "c1\r\neth0\n", "c1\r\neth0\r\n", "  c1\r\neth0 "}) {
    write_file(kStore + "/10.1.0.9", form);
    EXPECT_TRUE(succeeded_silently(check(host_local_config(), pod("c1")))) << form;
    must_del(host_local_config(), pod("c1"));
    EXPECT_FALSE(reserved("10.1.0.9")) << form;
  }
}

TEST_F(HostLocal, OtherAttachmentsAreNotMistaken) {
  PARITY("T83");
  for (const std::string other : {"c1\neth0", "c1\r\neth1", "c11\r\neth0", "C1\r\neth0", ""}) {
    write_file(kStore + "/10.1.0.9", other);
    EXPECT_TRUE(failed(check(host_local_config(), pod("c1")), code::kCheck, {"c1"})) << other;
    must_del(host_local_config(), pod("c1"));
    EXPECT_TRUE(reserved("10.1.0.9")) << other;
  }
}

TEST_F(HostLocal, EmptyReservationIsReclaimed) {
  PARITY("T84 D24");
  write_file(kStore + "/10.1.0.2", "");
  EXPECT_EQ(first_address(host_local_config(), pod("c1")), "10.1.0.2/24");
  EXPECT_EQ(read_file(kStore + "/10.1.0.2"), "c1\r\neth0");
}

TEST_F(HostLocal, CursorIsNeverMistakenForAReservation) {
  PARITY("T84 D29");
  must_add(host_local_config(), pod("c1"));
  const Attachment impostor = pod("10.1.0.2");
  EXPECT_TRUE(failed(check(host_local_config(), impostor), code::kCheck));
  must_del(host_local_config(), impostor);
  EXPECT_EQ(read_file(kStore + "/last_reserved_ip.0"), "10.1.0.2");
}

TEST_F(HostLocal, ForeignFilesAreLeftAlone) {
  PARITY("D30");
  write_file(kStore + "/folder/10.1.0.7", "c1\r\neth0");
  write_file(kStore + "/notes", "c1\r\neth0");
  write_file(kStore + "/last_reserved_ip.0", std::string("\xff\x00 garbage", 10));
  EXPECT_EQ(first_address(host_local_config(), pod("c1")), "10.1.0.2/24");
  must_del(host_local_config(), pod("c1"));
  EXPECT_TRUE(reserved("folder/10.1.0.7"));
}

TEST_F(HostLocal, CursorOutsideTheRangeIsIgnored) {
  PARITY("T78");
  for (const char* text : {"10.9.0.9", "", "10.1.0.9\n", "fd01::1"}) {
    write_file(kStore + "/last_reserved_ip.0", text);
    EXPECT_EQ(first_address(host_local_config(), pod("c1")), "10.1.0.2/24") << text;
    must_del(host_local_config(), pod("c1"));
  }
}

TEST_F(HostLocal, CheckFindsTheReservation) {
  PARITY("D10");
  const Json config = host_local_config({"10.1.0.0/24", "fd01::/64"});
  EXPECT_TRUE(failed(check(config, pod("c1")), code::kCheck, {"c1"}));
  must_add(config, pod("c1"));
  EXPECT_TRUE(succeeded_silently(check(config, pod("c1"))));
  std::filesystem::remove(kStore + "/fd01::2");
  EXPECT_TRUE(failed(check(config, pod("c1")), code::kCheck, {"c1"})) << "one of two addresses is gone";
}

TEST_F(HostLocal, FullDiskReservesNothing) {
  PARITY("T85 D25");
  std::filesystem::create_directories(kStore);
  // Inodes run out after n files: the folder itself, the lock, the reservation, the cursor or a temporary file.
  for (int inodes = 2; inodes <= 4; ++inodes) {
    const std::string options = "mode=755,nr_inodes=" + std::to_string(inodes);
    ASSERT_EQ(::mount("small", kStore.c_str(), "tmpfs", 0, options.c_str()), 0);
    const Outcome outcome = add(host_local_config(), pod("c1"));
    if (outcome.exit_code != 0) {
      EXPECT_TRUE(failed(outcome, code::kIo, {kStore}));
      EXPECT_FALSE(reserved("10.1.0.2")) << inodes;
    }
    EXPECT_TRUE(inodes > 2 || outcome.exit_code != 0) << "the test did not fill the disk";
    ::umount2(kStore.c_str(), MNT_DETACH);
  }
}

TEST_F(HostLocal, UnwritableDataFolderIsAnIoError) {
  PARITY("T85");
  std::filesystem::create_directories("/var/lib/cni/networks");
  ASSERT_EQ(::mount("frozen", "/var/lib/cni/networks", "tmpfs", MS_RDONLY, nullptr), 0);
  EXPECT_TRUE(failed(add(host_local_config(), pod("c1")), code::kIo, {kStore}));
}

TEST_F(HostLocal, AFileInPlaceOfTheDataFolderIsAnIoError) {
  PARITY("T85");
  write_file("/var/lib/cni/networks", "");
  EXPECT_TRUE(failed(add(host_local_config(), pod("c1")), code::kIo, {"/var/lib/cni/networks"}));
}

TEST_F(HostLocal, WaitsForTheLockOfTheStore) {
  PARITY("T81");
  must_add(host_local_config(), pod("c1"));
  const int lock = ::open((kStore + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  Child waiting(plugin_command({"host-local", "ADD", pod("c2"), host_local_config().dump()}));
  // The kernel lists who waits for a lock: "-> FLOCK ADVISORY WRITE <pid>".
  const std::string mark = " " + std::to_string(waiting.pid()) + " ";
  EXPECT_TRUE(happens([&] { return read_file("/proc/locks").find(mark) != std::string::npos; }))
      << "nobody waits for the lock";
  EXPECT_FALSE(reserved("10.1.0.3"));
  ::close(lock);
  EXPECT_TRUE(succeeded(waiting.wait()));
  EXPECT_TRUE(reserved("10.1.0.3"));
}

TEST_F(HostLocal, DnsComesFromTheResolverFile) {
  PARITY("T86");
  Json config = host_local_config();
  config["ipam"]["resolvConf"] = make_folder("etc") + "/resolv.conf";
  write_file("/run/test/etc/resolv.conf",
             "# comment\n; another\n\nnameserver 10.0.0.53\nnameserver\t10.0.0.53 ignored\n  nameserver fd00::53\n"
             "Nameserver 10.0.0.1\ndomain first.example\ndomain second.example\nsearch a.example b.example\n"
             "search c.example\noptions ndots:2\toption\nnameserver\nunknown word\n");
  EXPECT_EQ(must_add(config, pod("c1")).at("dns"), Json::parse(R"({"nameservers":
    ["10.0.0.53", "10.0.0.53", "fd00::53"], "domain": "second.example",
    "search": ["a.example", "b.example", "c.example"], "options": ["ndots:2", "option"]})"));
}

TEST_F(HostLocal, MissingResolverFileIsFoundBeforeAnyChange) {
  PARITY("T86");
  Json config = host_local_config();
  for (const char* path : {"/run/test/missing", "/run"}) {
    config["ipam"]["resolvConf"] = path;
    EXPECT_TRUE(failed(add(config, pod("c1")), code::kIo, {path}));
    EXPECT_FALSE(std::filesystem::exists(kStore));
  }
  EXPECT_TRUE(succeeded_silently(del(config, pod("c1")))) << "DEL does not need it";
}

TEST_F(HostLocal, DeleteReleasesUnderABrokenConfiguration) {
  PARITY("D46");
  must_add(host_local_config(), pod("c1"));
  for (const char* ranges : {R"([[{"subnet": "10.1.0.5/24"}]])", R"([])"}) {
    EXPECT_TRUE(succeeded_silently(del(with_ranges(Json::parse(ranges)), pod("c1")))) << ranges;
    EXPECT_FALSE(reserved("10.1.0.2"));
    must_add(host_local_config(), pod("c1", "eth0", "IP=10.1.0.2"));
  }
}

TEST_F(HostLocal, RoutesAreCopiedToTheResult) {
  PARITY("T21");
  Json config = host_local_config();
  const Json routes = Json::parse(
      R"([{"dst": "0.0.0.0/0"}, {"dst": "10.50.0.0/16", "gw": "10.1.0.1", "mtu": 1400, "advmss": 1360,
           "priority": 77, "table": 0, "scope": 0}])");
  config["ipam"]["routes"] = routes;
  EXPECT_EQ(must_add(config, pod("c1")).at("routes"), routes);
}

// The store is shared with the reference: both may serve the same network while a node is being switched.
class SharedStore : public HostTest {
 protected:
  Outcome run_reference(const std::string& verb, const Attachment& attachment) const {
    Command command = plugin_command({"host-local", verb, attachment, config_.dump()});
    command.argv = {reference_dir() + "/host-local"};
    return run(command);
  }

  Json config_ = host_local_config({"10.1.0.0/16"}, "1.0.0");
};

TEST_F(SharedStore, EachFreesWhatTheOtherReserved) {
  PARITY("T81");
  must_add(config_, pod("c1"));
  ASSERT_TRUE(succeeded(run_reference("ADD", pod("c2"))));
  EXPECT_EQ(read_file(kStore + "/10.1.0.3"), "c2\r\neth0");
  EXPECT_TRUE(succeeded(run_reference("CHECK", pod("c1"))));
  EXPECT_TRUE(succeeded_silently(check(config_, pod("c2"))));
  EXPECT_TRUE(succeeded(run_reference("DEL", pod("c1"))));
  must_del(config_, pod("c2"));
  EXPECT_FALSE(reserved("10.1.0.2"));
  EXPECT_FALSE(reserved("10.1.0.3"));
}

TEST_F(SharedStore, ParallelAddsOfBothAreAllDistinct) {
  PARITY("T81");
  constexpr int kPods = 100;
  std::vector<Child> children;
  for (int number = 0; number < kPods; ++number) {
    Command command = plugin_command({"host-local", "ADD", pod("c" + std::to_string(number)), config_.dump()});
    if (number % 2 == 1) command.argv = {reference_dir() + "/host-local"};
    children.emplace_back(command);
  }
  std::set<std::string> seen;
  for (Child& child : children) {
    const Outcome outcome = child.wait();
    ASSERT_TRUE(succeeded(outcome));
    seen.insert(addresses_of(Json::parse(outcome.out)).at(0));
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kPods));
}

}  // namespace
}  // namespace cnio::test
