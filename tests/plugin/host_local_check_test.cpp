// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// CHECK of reservations: expected against found, by host-local itself and through bridge.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

struct Change {
  std::string name;
  std::string content;  ///< what the reservation file holds instead; "-": there is none
  std::string found;    ///< what CHECK says of it; empty: it is content
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

class ChangedReservation : public BridgeTest, public ::testing::WithParamInterface<Change> {
 protected:
  static void apply(const std::string& file) {
    if (GetParam().content == "-") {
      std::filesystem::remove(file);
    } else {
      write_file(file, GetParam().content);
    }
  }

  /// The complaint about this address; for a change that does not matter, none.
  static void expect_noticed(const Json& config, const std::string& address) {
    const Outcome outcome = check(config, pod());
    if (GetParam().found.empty()) {
      EXPECT_TRUE(succeeded_silently(outcome));
    } else {
      EXPECT_TRUE(
          failed(outcome, code::kCheck,
                 {"address " + address + " of prevResult: expected reserved by c1/eth0, found " + GetParam().found}));
    }
  }
};

INSTANTIATE_TEST_SUITE_P(
    Table, ChangedReservation,
    ::testing::Values(Change{"Missing", "-", "not reserved"},
                      Change{"OfAnotherContainer", "c2\r\neth0", "reserved by c2/eth0"},
                      Change{"OfAnotherInterface", "c1\r\neth1", "reserved by c1/eth1"},
                      Change{"OldFormatOfAnother", "c2", "reserved by c2"}, Change{"Torn", "", "reserved by nobody"},
                      Change{"NoReservation", "the printer\n", "reserved by a file that names no attachment"},
                      Change{"OldFormat", "c1", ""}, Change{"FinalNewline", "c1\r\neth0\n", ""}),
    [](const auto& test) { return test.param.name; });

TEST_P(ChangedReservation, IsNoticed) {
  PARITY("T57 T83 D10");
  for (const char* version : {"0.4.0", "1.0.0", "1.1.0"}) {
    Json config = host_local_config({"10.1.0.0/24", "fd01::/64"}, version);
    config = with_prev_result(config, must_add(config, pod()));
    ASSERT_TRUE(succeeded_silently(check(config, pod())));
    for (const std::string address : {"10.1.0.2", "fd01::2"}) {
      const std::string file = "/var/lib/cni/networks/store/" + address;
      apply(file);
      expect_noticed(config, address);
      write_file(file, "c1\r\neth0");
    }
    std::filesystem::remove_all("/var/lib/cni");
  }
}

TEST_P(ChangedReservation, IsNoticedThroughBridge) {
  PARITY("T57 T83 D10");
  Json config = dual_stack_config();
  config = with_prev_result(config, must_add(config, pod()));
  ASSERT_TRUE(succeeded_silently(check(config, pod())));
  for (const std::string address : {"fd01::2", "10.1.0.2"}) {
    const std::string file = "/var/lib/cni/networks/net/" + address;
    apply(file);
    expect_noticed(config, address);
    write_file(file, "c1\r\neth0");
  }
}

class HostLocalCheck : public BridgeTest {};

TEST_F(HostLocalCheck, DelLeavesAnotherItsReservation) {
  PARITY("T57");
  const Json config = bridge_config();
  must_add(config, pod());
  write_file("/var/lib/cni/networks/net/10.1.0.2", "c2\r\neth0");
  must_del(config, pod());
  EXPECT_EQ(read_file("/var/lib/cni/networks/net/10.1.0.2"), "c2\r\neth0");
}

TEST_F(HostLocalCheck, WithoutPrevResultWantsAnAddressOfEverySet) {
  PARITY("D10");
  const Json config = host_local_config({"10.1.0.0/24", "fd01::/64"});
  must_add(config, pod());
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
  write_file("/var/lib/cni/networks/store/fd01::2", "c2\r\neth0");
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck,
                     {"range set fd01::/64: expected an address reserved by c1/eth0, found none"}));
}

TEST_F(HostLocalCheck, AddressesOfOtherPluginsOfTheChainAreNotItsConcern) {
  PARITY("D10");
  Json config = host_local_config();
  Json result = must_add(config, pod());
  result["ips"].push_back({{"address", "192.0.2.9/24"}});
  result["ips"].push_back({{"address", "fd09::9/64"}});
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
}

}  // namespace
}  // namespace cnio::test
