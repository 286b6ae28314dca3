// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// firewall with firewalld. In its place stands a busctl that knows what of it is asked for, and answers in its words,
// as firewalld 1.3.3 does behind busctl 252.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugin/firewall_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kBusctl[] = R"script(#!/bin/sh
state=/run/test/firewalld
shift 5
method=$4
shift 4
[ $# -eq 0 ] || shift
name() { echo "$1" | tr / _; }
fail() { echo "Call failed: $*" >&2; exit 1; }
case $method in
NameHasOwner) if [ -e $state ]; then echo 'b true'; else echo 'b false'; fi ;;
addSource)
  [ -d "$state/$1" ] || fail "INVALID_ZONE: $1"
  for zone in $state/*/; do
    [ -e "$zone$(name "$2")" ] || continue
    [ "$zone" = "$state/$1/" ] && fail "ZONE_ALREADY_SET: '$2' already bound to '$1'"
    fail "ZONE_CONFLICT: '$2' already bound to a zone"
  done
  : >"$state/$1/$(name "$2")"
  echo "s \"$1\"" ;;
querySource) if [ -e "$state/$1/$(name "$2")" ]; then echo 'b true'; else echo 'b false'; fi ;;
getZoneOfSource)
  for zone in $state/*/; do [ ! -e "$zone$(name "$1")" ] || { echo "s \"$(basename "$zone")\""; exit; }; done
  echo 's ""' ;;
removeSource)
  [ -e "$state/$1/$(name "$2")" ] || fail "UNKNOWN_SOURCE: '$2' is not in '$1'"
  rm "$state/$1/$(name "$2")"
  echo "s \"$1\"" ;;
esac
)script";

class FirewalldTest : public FirewallTest {
 protected:
  FirewalldTest() : folder_(make_folder("programs")) {
    write_file(folder_ + "/busctl", kBusctl);
    std::filesystem::permissions(folder_ + "/busctl", std::filesystem::perms::owner_all);
    bus_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{AF_UNIX, {}};
    const std::string path = "/run/test/bus";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(bus_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) throw std::runtime_error(path);
  }
  ~FirewalldTest() override { close(bus_); }

  static void start() {
    for (const char* zone : {"trusted", "home"}) std::filesystem::create_directories(kState + "/" + zone);
  }
  /// As a reload does, too.
  static void forget() {
    std::filesystem::remove_all(kState);
    start();
  }
  static std::vector<std::string> sources(const std::string& zone = "trusted") {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(kState + "/" + zone)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  [[nodiscard]] Outcome call(const std::string& verb, const Json& config, const Attachment& attachment) const {
    Command command = plugin_command({"firewall", verb, attachment, config.dump()});
    command.env["PATH"] = folder_ + ":" + command.env["PATH"];
    command.env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/run/test/bus,guid=1234";
    return run(command);
  }
  void must_call(const std::string& verb, const Json& config, const Attachment& attachment) const {
    const Outcome outcome = call(verb, config, attachment);
    EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  }

  static Json firewalld(const Json& more = Json::object()) {
    Json config = firewall_config({{"backend", "firewalld"}});
    config.update(more);
    return config;
  }

  static inline const std::string kState = "/run/test/firewalld";
  std::string folder_;
  int bus_ = -1;
};

TEST_F(FirewalldTest, SourcesComeAndGo) {
  PARITY("T-P63 P31");
  start();
  const Json config = after_bridge("c1", firewalld(), dual_stack_config());
  must_call("ADD", config, pod());
  must_call("ADD", config, pod());
  EXPECT_THAT(sources(), ElementsAre("10.1.0.2_32", "fd01::2_128"));
  EXPECT_THAT(rules(), IsEmpty());
  must_call("CHECK", config, pod());
  must_call("DEL", firewall_config(), pod());
  EXPECT_THAT(sources(), IsEmpty());
  must_call("DEL", firewall_config(), pod());
}

TEST_F(FirewalldTest, CheckSeesThatAReloadHasForgotten) {
  PARITY("T-P63 P38 P23");
  start();
  const Json config = after_bridge("c1", firewalld());
  must_call("ADD", config, pod());
  forget();
  EXPECT_TRUE(failed(call("CHECK", config, pod()), code::kCheck, {"trusted", "10.1.0.2/32"}));
  EXPECT_THAT(sources(), IsEmpty()) << "CHECK changes nothing";
}

// `cnioctl resync` calls it.
TEST_F(FirewalldTest, RepairAfterAReload) {
  start();
  const Json config = after_bridge("c1", firewalld(), dual_stack_config());
  must_call("ADD", config, pod());
  forget();
  must_call("CNIO_REPAIR", config, pod());
  EXPECT_THAT(sources(), ElementsAre("10.1.0.2_32", "fd01::2_128"));
  must_call("CHECK", config, pod());
}

TEST_F(FirewalldTest, WhatItRefusesIsUndone) {
  PARITY("T-P64 P39");
  start();
  const Json bad = after_bridge("c1", firewalld({{"firewalldZone", "nowhere"}}), dual_stack_config());
  EXPECT_TRUE(failed(call("ADD", bad, pod()), code::kConfig, {"firewalldZone", "nowhere"}));
  write_file(kState + "/home/fd01::2_128", "");
  Json taken = bad;
  taken["firewalldZone"] = "trusted";
  EXPECT_TRUE(failed(call("ADD", taken, pod()), code::kInTheWay, {"fd01::2/128"}));
  EXPECT_THAT(sources(), IsEmpty());
  EXPECT_THAT(sources("home"), SizeIs(1));
  EXPECT_THAT(nft_objects_with("cnio_firewall"), IsEmpty());
}

TEST_F(FirewalldTest, DelFindsTheZone) {
  PARITY("P39");
  start();
  const Json config = after_bridge("c1", firewalld({{"firewalldZone", "home"}}));
  must_call("ADD", config, pod());
  Json other = config;
  other["firewalldZone"] = "trusted";
  must_call("DEL", other, pod());
  EXPECT_THAT(sources("home"), IsEmpty());
}

TEST_F(FirewalldTest, WithoutTheKeyItIsTakenIfItRuns) {
  PARITY("T-P58 T-P64");
  const Json config = after_bridge("c1", firewall_config());
  must_call("ADD", config, pod());
  EXPECT_THAT(rules_with("10.1.0.2"), SizeIs(3)) << "it does not run";
  start();
  must_call("ADD", config, pod());
  EXPECT_THAT(rules_with("10.1.0.2"), IsEmpty());
  EXPECT_THAT(sources(), ElementsAre("10.1.0.2_32"));
}

TEST_F(FirewalldTest, ThatDoesNotRun) {
  PARITY("T-P64 P39");
  const Json config = after_bridge("c1", firewalld());
  EXPECT_TRUE(failed(call("ADD", config, pod()), code::kKernel, {"firewalld", "does not run"}));
  EXPECT_TRUE(failed(call("STATUS", config, pod()), code::kUnavailable, {"firewalld"}));
  EXPECT_THAT(nft_objects_with("cnio_firewall"), IsEmpty());
  must_call("DEL", config, pod());
  std::filesystem::remove("/run/test/bus");
  EXPECT_TRUE(failed(call("ADD", config, pod()), code::kKernel, {"firewalld", "does not run"}));
  must_call("DEL", config, pod());
}

TEST_F(FirewalldTest, NobodyToAsk) {
  start();
  std::filesystem::remove(folder_ + "/busctl");
  const auto without = [&](const std::string& verb, const Json& config) {
    Command command = plugin_command({"firewall", verb, pod(), config.dump()});
    command.env["PATH"] = folder_;
    command.env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/run/test/bus";
    return run(command);
  };
  const Json config = after_bridge("c1", firewalld());
  EXPECT_TRUE(failed(without("ADD", config), code::kKernel, {"busctl", "dbus-send"}));
  Json neutral = config;
  neutral.erase("backend");
  const Outcome outcome = without("ADD", neutral);
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("busctl"));
  EXPECT_THAT(rules_with("10.1.0.2"), SizeIs(3));
  EXPECT_EQ(without("DEL", neutral).exit_code, 0);
}

TEST_F(FirewalldTest, RulesOfTheTimeBeforeItGo) {
  PARITY("T-P65 P39");
  const Json config = after_bridge("c1", firewall_config());
  must_call("ADD", config, pod());
  start();
  must_call("DEL", config, pod());
  EXPECT_THAT(rules_with("10.1.0.2"), IsEmpty());
}

TEST_F(FirewalldTest, ASourceIsItsOwnersAlone) {
  PARITY("T-P60 P32");
  start();
  const Json config = after_bridge("c1", firewalld());
  must_call("ADD", config, pod("c1"));
  must_call("ADD", config, pod("c2"));
  must_call("DEL", config, pod("c1"));
  EXPECT_THAT(sources(), SizeIs(1));
  must_call("GC", with_valid_attachments(firewall_config(), {{"c2", "eth0"}}), pod("c2"));
  EXPECT_THAT(sources(), SizeIs(1));
  must_call("GC", with_valid_attachments(firewall_config(), {}), pod("c2"));
  EXPECT_THAT(sources(), IsEmpty());
}

TEST_F(FirewalldTest, PoliciesAreRulesOfIptables) {
  PARITY("T-P52");
  start();
  const Json config = after_bridge("c1", firewalld({{"ingressPolicy", "same-bridge"}}));
  must_call("ADD", config, pod());
  EXPECT_THAT(rules_with("br0"), SizeIs(2));
  must_call("CHECK", config, pod());
  must_call("DEL", config, pod());
  EXPECT_THAT(rules_with("br0"), IsEmpty());
}

}  // namespace
}  // namespace cnio::test
