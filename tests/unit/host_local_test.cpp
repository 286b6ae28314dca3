// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "host-local/host_local.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "support/matchers.hpp"
#include "support/own_run.hpp"
#include "support/temp_folder.hpp"

namespace cnio::host_local {
namespace {

using Texts = std::vector<std::string>;
using protocol::Attachment;

const std::string kTwoSets = R"("ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd01::/64"}]])";
const std::string kOneSet = R"("ranges": [[{"subnet": "10.1.0.0/29"}]])";

class HostLocal : public ::testing::Test {
 protected:
  HostLocal() { test::own_run_folder(); }

  // A request for the network "net" whose reservations are in `root_`; `ipam` holds members of that object, `more`
  // members of the configuration beside it.
  protocol::Request request(const std::string& command, const Attachment& pod, const std::string& ipam,
                            const std::string& more = "", const std::string& args = "") const {
    const protocol::Environment environment({"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + pod.container_id,
                                             "CNI_NETNS=/run/netns/x", "CNI_IFNAME=" + pod.ifname,
                                             "CNI_PATH=/opt/cni/bin", "CNI_ARGS=" + args});
    auto parsed = protocol::parse_environment(environment);
    EXPECT_OK(parsed);
    protocol::Request out = std::move(parsed).value();
    const std::string config = R"({"cniVersion": "1.1.0", "name": "net", "type": "host-local", "ipam": {"dataDir": ")" +
                               root_.path() + "\"" + (ipam.empty() ? "" : ", " + ipam) + "}" +
                               (more.empty() ? "" : ", " + more) + "}";
    EXPECT_OK(protocol::parse_stdin(out, config));
    return out;
  }
  // An ADD whose answer was written.
  Result<protocol::AddResult> add(const Attachment& pod, const std::string& ipam = kTwoSets,
                                  const std::string& more = "", const std::string& args = "") const {
    Rollback undo;
    auto result = host_local::add(request("ADD", pod, ipam, more, args), undo);
    undo.commit();
    return result;
  }
  // The addresses that an ADD gives, which must succeed.
  Texts given(const Attachment& pod, const std::string& ipam = kTwoSets, const std::string& more = "",
              const std::string& args = "") const {
    const auto result = add(pod, ipam, more, args);
    EXPECT_OK(result);
    Texts out;
    if (!result.ok()) return out;
    for (const protocol::IpConfig& each : result.value().ips) out.push_back(each.address.to_string());
    return out;
  }
  Status del(const Attachment& pod, const std::string& ipam = kTwoSets) const {
    return host_local::del(request("DEL", pod, ipam));
  }
  Status check(const Attachment& pod, const std::string& ipam = kTwoSets, const std::string& more = "") const {
    return host_local::check(request("CHECK", pod, ipam, more));
  }
  Status gc(const std::string& valid, const std::string& ipam = kTwoSets) const {
    return host_local::gc(request("GC", {}, ipam, R"("cni.dev/valid-attachments": )" + valid));
  }

  test::TempFolder root_;
};

TEST_F(HostLocal, AddGivesOneAddressOfEverySetWithItsSubnetAndGateway) {
  const auto result = add({"c1", "eth0"}, kTwoSets + R"(, "routes": [{"dst": "0.0.0.0/0"}])");
  ASSERT_OK(result);
  ASSERT_EQ(result.value().ips.size(), 2U);
  EXPECT_EQ(result.value().ips[0].address.to_string(), "10.1.0.2/29");
  EXPECT_EQ(result.value().ips[0].gateway, IpAddr::parse("10.1.0.1"));
  EXPECT_FALSE(result.value().ips[0].interface.has_value());
  EXPECT_EQ(result.value().ips[1].address.to_string(), "fd01::2/64");
  EXPECT_EQ(result.value().ips[1].gateway, IpAddr::parse("fd01::1"));
  EXPECT_TRUE(result.value().interfaces.empty());
  EXPECT_EQ(result.value().routes.size(), 1U);
  EXPECT_TRUE(result.value().dns.empty());
  EXPECT_EQ(root_.contents(), (std::map<std::string, std::string>{{"net", ""},
                                                                  {"net/lock", ""},
                                                                  {"net/10.1.0.2", "c1\r\neth0"},
                                                                  {"net/fd01::2", "c1\r\neth0"},
                                                                  {"net/last_reserved_ip.0", "10.1.0.2"},
                                                                  {"net/last_reserved_ip.1", "fd01::2"}}));
}

TEST_F(HostLocal, AddTakesTheGatewayOfTheRangeThatGave) {
  const std::string pool =
      R"("ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5", "rangeEnd": "10.1.0.5"},
                     {"subnet": "10.2.0.0/16", "rangeStart": "10.2.0.5", "gateway": "10.2.0.9"}]])";
  given({"c1", "eth0"}, pool);
  const auto result = add({"c2", "eth0"}, pool);
  ASSERT_OK(result);
  EXPECT_EQ(result.value().ips.at(0).address.to_string(), "10.2.0.5/16");
  EXPECT_EQ(result.value().ips.at(0).gateway, IpAddr::parse("10.2.0.9"));
}

TEST_F(HostLocal, AddReadsResolvConf) {
  root_.write("resolv.conf", "nameserver 10.0.0.53\nsearch a b\n");
  const auto result = add({"c1", "eth0"}, kOneSet + R"(, "resolvConf": ")" + root_.at("resolv.conf") + "\"");
  ASSERT_OK(result);
  EXPECT_EQ(result.value().dns.nameservers, Texts({"10.0.0.53"}));
  EXPECT_EQ(result.value().dns.search, Texts({"a", "b"}));
}

TEST_F(HostLocal, AddWithoutItsResolvConfChangesNothing) {
  EXPECT_ERROR(add({"c1", "eth0"}, kOneSet + R"(, "resolvConf": "/nonexistent")"), Code::kIo, "resolvConf",
               "/nonexistent");
  EXPECT_TRUE(root_.contents().empty());
}

TEST_F(HostLocal, AddIsUndoneIfItsAnswerCannotBeWritten) {
  given({"c1", "eth0"});
  const auto before = root_.contents();
  {
    Rollback undo;
    ASSERT_OK(host_local::add(request("ADD", {"c2", "eth0"}, kTwoSets), undo));
    EXPECT_TRUE(root_.has("net/10.1.0.3"));
    EXPECT_TRUE(undo.run().empty());
  }
  auto after = root_.contents();
  EXPECT_EQ(after["net/last_reserved_ip.0"], "10.1.0.3") << "round robin goes on";
  after["net/last_reserved_ip.0"] = "10.1.0.2";
  after["net/last_reserved_ip.1"] = "fd01::2";
  EXPECT_EQ(after, before);
}

TEST_F(HostLocal, UndoneAddKeepsWhatTheAttachmentHeldBefore) {
  root_.write("net/10.9.0.5", "c1\r\neth0");  // outside the ranges of today
  {
    Rollback undo;
    ASSERT_OK(host_local::add(request("ADD", {"c1", "eth0"}, kOneSet), undo));
    EXPECT_TRUE(undo.run().empty());
  }
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
  EXPECT_TRUE(root_.has("net/10.9.0.5"));
}

TEST_F(HostLocal, AddReleasesTheLockBeforeItReturns) {
  Rollback undo;
  ASSERT_OK(host_local::add(request("ADD", {"c1", "eth0"}, kTwoSets), undo));
  const UniqueFd lock(::open(root_.at("net/lock").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  undo.commit();
}

TEST_F(HostLocal, ExhaustedRangeSaysHowManyAreReservedAndWhere) {
  for (const char* id : {"a", "b", "c", "d", "e"}) given({id, "eth0"}, kOneSet);
  const auto before = root_.contents();
  const auto late = add({"late", "eth0"}, kOneSet);
  EXPECT_ERROR(late, Code::kNoAddress, R"(no free address in 10.1.0.0/29 (5 of 5 reserved) of network "net")");
  EXPECT_NE(late.error().details().find(root_.at("net")), std::string::npos) << late.error().details();
  EXPECT_EQ(root_.contents(), before);
}

TEST_F(HostLocal, ReservationsOutsideTheRangeDoNotCountAsItsOwn) {
  root_.write("net/10.1.0.1", "x\r\neth0");  // the gateway
  root_.write("net/10.9.0.1", "x\r\neth0");
  root_.write("net/fd01::9", "x\r\neth0");
  for (const char* id : {"a", "b", "c", "d", "e"}) given({id, "eth0"}, kOneSet);
  EXPECT_ERROR(add({"late", "eth0"}, kOneSet), Code::kNoAddress, "(5 of 5 reserved)");
}

TEST_F(HostLocal, AnExhaustedSecondSetLeavesTheFirstUntouched) {
  const std::string sets = R"("ranges": [[{"subnet": "fd01::/64"}], [{"subnet": "10.1.0.0/30"}]])";
  given({"a", "eth0"}, sets);
  const auto before = root_.contents();
  EXPECT_ERROR(add({"late", "eth0"}, sets), Code::kNoAddress, "10.1.0.0/30 (1 of 1 reserved)");
  EXPECT_EQ(root_.contents(), before);
}

TEST_F(HostLocal, RequestedAddressesAreGivenInTheOrderOfTheSets) {
  EXPECT_EQ(given({"c1", "eth0"}, kTwoSets, R"("runtimeConfig": {"ips": ["fd01::77"]})", "IP=10.1.0.5"),
            Texts({"10.1.0.5/29", "fd01::77/64"}));
  EXPECT_EQ(given({"c2", "eth0"}), Texts({"10.1.0.6/29", "fd01::78/64"})) << "the cursor has moved too";
}

TEST_F(HostLocal, ARequestForOneSetLeavesTheOthersToRoundRobin) {
  EXPECT_EQ(given({"c1", "eth0"}, kTwoSets, "", "IP=fd01::77"), Texts({"10.1.0.2/29", "fd01::77/64"}));
}

TEST_F(HostLocal, ImpossibleRequestsLeaveTheStoreAsItWas) {
  given({"owner", "eth0"}, kTwoSets, "", "IP=10.1.0.4");
  const auto before = root_.contents();
  const Attachment pod{"c1", "eth0"};
  EXPECT_ERROR(add(pod, kTwoSets, "", "IP=10.1.0.4"), Code::kNoAddress, "10.1.0.4", "owner/eth0");
  EXPECT_ERROR(add(pod, kTwoSets, "", "IP=10.1.0.1"), Code::kNoAddress, "10.1.0.1", "gateway");
  EXPECT_ERROR(add(pod, kTwoSets, "", "IP=10.1.0.7"), Code::kInvalidConfig, "10.1.0.7", "none of the ranges");
  EXPECT_ERROR(add(pod, kTwoSets, "", "IP=10.9.0.9"), Code::kInvalidConfig, "10.9.0.9", "none of the ranges");
  EXPECT_ERROR(add(pod, kTwoSets, R"("runtimeConfig": {"ips": ["10.1.0.5", "10.1.0.6"]})"), Code::kInvalidConfig,
               "10.1.0.5", "10.1.0.6");
  EXPECT_EQ(root_.contents(), before);
}

TEST_F(HostLocal, ImpossibleRequestsOfABrandNewNetworkDoNotMakeIt) {
  EXPECT_ERROR(add({"c1", "eth0"}, kTwoSets, "", "IP=10.9.0.9"), Code::kInvalidConfig);
  EXPECT_TRUE(root_.contents().empty());
}

TEST_F(HostLocal, TheSameRequestFromTwoSourcesIsOne) {
  EXPECT_EQ(given({"c1", "eth0"}, kOneSet, R"("runtimeConfig": {"ips": ["10.1.0.5/24"]})", "IP=10.1.0.5"),
            Texts({"10.1.0.5/29"}));
}

TEST_F(HostLocal, ExcludedAddressesAreNotGiven) {
  const std::string ipam = kOneSet + R"(, "exclude": ["10.1.0.2/31", "10.1.0.5", "192.0.2.0/24"])";
  EXPECT_EQ(given({"a", "eth0"}, ipam), Texts({"10.1.0.4/29"}));
  EXPECT_EQ(given({"b", "eth0"}, ipam), Texts({"10.1.0.6/29"}));
  const auto late = add({"late", "eth0"}, ipam);
  EXPECT_ERROR(late, Code::kNoAddress, "no free address in 10.1.0.0/29 (2 of 2 reserved)");
  EXPECT_NE(late.error().details().find("ipam.exclude"), std::string::npos) << late.error().details();
}

TEST_F(HostLocal, ExcludedAddressesThatAreReservedDoNotCount) {
  for (const char* id : {"a", "b", "c"}) given({id, "eth0"}, kOneSet);
  const std::string ipam = kOneSet + R"(, "exclude": ["10.1.0.2", "10.1.0.3"])";
  for (const char* id : {"d", "e"}) given({id, "eth0"}, ipam);
  EXPECT_ERROR(add({"late", "eth0"}, ipam), Code::kNoAddress, "(3 of 3 reserved)");
}

TEST_F(HostLocal, ARequestForAnExcludedAddressIsRefusedNamingTheKey) {
  const std::string ipam = kTwoSets + R"(, "exclude": ["10.1.0.4/30", "fd01::9"])";
  EXPECT_ERROR(add({"c1", "eth0"}, ipam, "", "IP=10.1.0.5"), Code::kNoAddress,
               R"(requested address 10.1.0.5 is excluded by the key "ipam.exclude")");
  EXPECT_ERROR(add({"c1", "eth0"}, ipam, R"("args": {"cni": {"ips": ["fd01::9/64"]}})"), Code::kNoAddress, "fd01::9",
               "ipam.exclude");
  EXPECT_TRUE(root_.contents().empty()) << "refused before anything is made";
}

TEST_F(HostLocal, WhoHoldsAnAddressKeepsItWhenItIsExcluded) {
  given({"c1", "eth0"}, kOneSet);
  const std::string ipam = kOneSet + R"(, "exclude": ["10.1.0.2"])";
  EXPECT_OK(check({"c1", "eth0"}, ipam));
  EXPECT_ERROR(add({"c1", "eth0"}, ipam), Code::kConflict, "10.1.0.2");
  ASSERT_OK(del({"c1", "eth0"}, ipam));
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
}

TEST_F(HostLocal, DuplicateAddIsRefusedAndTheLiveAttachmentKept) {
  given({"c1", "eth0"});
  const auto before = root_.contents();
  EXPECT_ERROR(add({"c1", "eth0"}), Code::kConflict, "c1/eth0", "10.1.0.2");
  EXPECT_ERROR(add({"c1", "eth0"}, kTwoSets, "", "IP=10.1.0.5"), Code::kConflict, "10.1.0.2");
  EXPECT_ERROR(add({"c1", "eth0"}, kTwoSets, "", "IP=fd01::5"), Code::kConflict, "10.1.0.2");
  EXPECT_EQ(root_.contents(), before);
}

TEST_F(HostLocal, AReservationOfTheOldFormatMakesEveryInterfaceADuplicate) {
  root_.write("net/10.1.0.5", "c1");
  EXPECT_ERROR(add({"c1", "eth1"}), Code::kConflict, "10.1.0.5");
}

TEST_F(HostLocal, AReservationOutsideTheRangesIsNoDuplicate) {
  root_.write("net/10.9.0.5", "c1\r\neth0");
  EXPECT_EQ(given({"c1", "eth0"}, kOneSet), Texts({"10.1.0.2/29"}));
}

TEST_F(HostLocal, AnotherInterfaceOfAContainerGetsItsOwnAddress) {
  EXPECT_EQ(given({"c1", "eth0"}, kOneSet), Texts({"10.1.0.2/29"}));
  EXPECT_EQ(given({"c1", "eth1"}, kOneSet), Texts({"10.1.0.3/29"}));
}

TEST_F(HostLocal, TornReservationsAreUsedAgain) {
  root_.write("net/10.1.0.2", "");
  EXPECT_EQ(given({"c1", "eth0"}, kOneSet), Texts({"10.1.0.2/29"}));
  EXPECT_EQ(root_.read("net/10.1.0.2"), "c1\r\neth0");
}

TEST_F(HostLocal, AnAddressThatAForeignFileStandsForIsNotGiven) {
  root_.write("net/10.1.0.2", "the printer\n");
  std::filesystem::create_directories(root_.at("net/10.1.0.3"));
  EXPECT_EQ(given({"c1", "eth0"}, kOneSet), Texts({"10.1.0.4/29"}));
  EXPECT_EQ(root_.read("net/10.1.0.2"), "the printer\n");
}

TEST_F(HostLocal, DelReleasesTheAttachmentAndNothingElse) {
  given({"c1", "eth0"});
  given({"c1", "eth1"});
  given({"c2", "eth0"});
  ASSERT_OK(del({"c1", "eth0"}));
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
  EXPECT_FALSE(root_.has("net/fd01::2"));
  for (const char* kept : {"10.1.0.3", "fd01::3", "10.1.0.4", "fd01::4", "lock", "last_reserved_ip.0"}) {
    EXPECT_TRUE(root_.has(std::string("net/") + kept)) << kept;
  }
  EXPECT_OK(del({"c1", "eth0"})) << "twice";
}

TEST_F(HostLocal, DelOfAnUnknownNetworkMakesNothing) {
  EXPECT_OK(del({"c1", "eth0"}));
  EXPECT_TRUE(root_.contents().empty());
}

TEST_F(HostLocal, DelWorksWithBrokenRangesAndReleasesOutsideThem) {
  given({"c1", "eth0"});
  for (const char* ipam : {R"("ranges": [[{"subnet": "10.9.0.1/24"}]])", "", R"("ranges": 5, "resolvConf": "/no")"}) {
    ASSERT_OK(del({"c1", "eth0"}, ipam)) << ipam;
    EXPECT_FALSE(root_.has("net/10.1.0.2"));
    root_.write("net/10.1.0.2", "c1\r\neth0");
  }
}

TEST_F(HostLocal, DelTakesTheOldFormatOnlyIfThereIsNoOther) {
  root_.write("net/10.1.0.2", "c1\r\neth0");
  root_.write("net/10.1.0.3", "c1");
  ASSERT_OK(del({"c1", "eth0"}));
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
  EXPECT_TRUE(root_.has("net/10.1.0.3"));
  ASSERT_OK(del({"c1", "eth0"}));
  EXPECT_FALSE(root_.has("net/10.1.0.3"));
}

TEST_F(HostLocal, AContainerNamedLikeAnAddressDoesNotGetAtTheCursor) {
  given({"c1", "eth0"}, kOneSet);
  EXPECT_ERROR(check({"10.1.0.2", "eth0"}, kOneSet), Code::kCheckFailed);
  ASSERT_OK(del({"10.1.0.2", "eth0"}, kOneSet));
  EXPECT_EQ(root_.read("net/last_reserved_ip.0"), "10.1.0.2");
  EXPECT_TRUE(root_.has("net/10.1.0.2"));
}

TEST_F(HostLocal, CheckWantsAnAddressOfEverySet) {
  EXPECT_ERROR(check({"c1", "eth0"}), Code::kCheckFailed, "10.1.0.0/29", "c1/eth0");
  EXPECT_TRUE(root_.contents().empty()) << "CHECK makes nothing";
  given({"c1", "eth0"});
  EXPECT_OK(check({"c1", "eth0"}));
  EXPECT_ERROR(check({"c1", "eth1"}), Code::kCheckFailed, "c1/eth1");
  std::filesystem::remove(root_.at("net/fd01::2"));
  EXPECT_ERROR(check({"c1", "eth0"}), Code::kCheckFailed, "fd01::/64");
}

TEST_F(HostLocal, CheckWantsTheAddressesOfPrevResult) {
  given({"c1", "eth0"});
  given({"c2", "eth0"});
  const auto prev = [](const std::string& address) {
    return R"("prevResult": {"cniVersion": "1.1.0", "ips": [{"address": ")" + address + "\"}]}";
  };
  EXPECT_OK(check({"c1", "eth0"}, kTwoSets, prev("10.1.0.2/29")));
  EXPECT_OK(check({"c1", "eth0"}, kTwoSets, prev("192.0.2.1/24"))) << "given by someone else";
  EXPECT_ERROR(check({"c1", "eth0"}, kTwoSets, prev("10.1.0.3/29")), Code::kCheckFailed,
               "10.1.0.3 of prevResult: expected reserved by c1/eth0, found reserved by c2/eth0");
  EXPECT_ERROR(check({"c1", "eth0"}, kTwoSets, prev("10.1.0.4/29")), Code::kCheckFailed,
               "10.1.0.4 of prevResult: expected reserved by c1/eth0, found not reserved");
}

TEST_F(HostLocal, CheckSaysWhoElseHasTheAddress) {
  given({"c1", "eth0"}, kOneSet);
  const std::string prev = R"("prevResult": {"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/29"}]})";
  EXPECT_OK(check({"c1", "eth0"}, kOneSet, prev));
  for (const auto& [content, found] :
       std::map<std::string, std::string>{{"c2\r\neth0", "reserved by c2/eth0"},
                                          {"c1\r\neth1", "reserved by c1/eth1"},
                                          {"c2", "reserved by c2"},
                                          {"", "reserved by nobody"},
                                          {"the printer", "reserved by a file that names no attachment"}}) {
    root_.write("net/10.1.0.2", content);
    EXPECT_ERROR(check({"c1", "eth0"}, kOneSet, prev), Code::kCheckFailed,
                 "expected reserved by c1/eth0, found " + found);
    EXPECT_ERROR(check({"c1", "eth0"}, kOneSet), Code::kCheckFailed, "expected an address reserved by c1/eth0");
  }
}

TEST_F(HostLocal, CheckOfPrevResultLooksAtItsOwnSetsOnly) {
  given({"c1", "eth0"});
  root_.write("net/10.9.0.9", "c2\r\neth0");
  const auto prev = [](const std::string& ips) {
    return R"("prevResult": {"cniVersion": "1.1.0", "ips": [)" + ips + "]}";
  };
  EXPECT_OK(check({"c1", "eth0"}, kTwoSets, prev(R"({"address": "10.1.0.2/29"}, {"address": "fd01::2/64"})")));
  EXPECT_OK(check({"c1", "eth0"}, kTwoSets, prev(R"({"address": "10.9.0.9/24"}, {"address": "fd09::9/64"})")))
      << "of another plugin of the chain";
  EXPECT_ERROR(check({"c1", "eth0"}, kTwoSets, prev(R"({"address": "10.1.0.2/29"}, {"address": "fd01::3/64"})")),
               Code::kCheckFailed, "fd01::3");
  EXPECT_ERROR(check({"c1", "eth0"}, kTwoSets, R"("prevResult": {"ips": [null]})"), Code::kInvalidConfig, "prevResult");
}

TEST_F(HostLocal, CheckAcceptsTheOldFormat) {
  root_.write("net/10.1.0.2", "c1");
  EXPECT_OK(check({"c1", "eth0"}, kOneSet));
}

TEST_F(HostLocal, StatusIsGoodIfReservationsCouldBeMade) {
  EXPECT_OK(status(request("STATUS", {}, kTwoSets)));
  EXPECT_TRUE(root_.contents().empty());
  root_.write("net", "in the way");
  EXPECT_ERROR(status(request("STATUS", {}, kTwoSets)), Code::kNotAvailable, root_.at("net"));
}

TEST_F(HostLocal, StatusFindsABrokenConfiguration) {
  EXPECT_ERROR(status(request("STATUS", {}, "")), Code::kInvalidConfig, "ipam.ranges");
  EXPECT_ERROR(status(request("STATUS", {}, kOneSet + R"(, "resolvConf": "/nonexistent")")), Code::kNotAvailable,
               "/nonexistent");
}

TEST_F(HostLocal, StatusOfAFullRangeSaysSo) {
  const std::string one =
      R"("ranges": [[{"subnet": "fd01::/64"}], [{"subnet": "10.1.0.0/29"}]], "exclude": ["10.1.0.2"])";
  for (const char* id : {"a", "b", "c"}) given({id, "eth0"}, one);
  EXPECT_OK(status(request("STATUS", {}, one))) << "one is left";
  given({"d", "eth0"}, one);
  const auto before = root_.contents();
  const Status full = status(request("STATUS", {}, one));
  EXPECT_ERROR(full, Code::kNotAvailable, R"(no free address in 10.1.0.0/29 (4 of 4 reserved) of network "net")");
  EXPECT_NE(full.error().details().find(root_.at("net")), std::string::npos) << full.error().details();
  EXPECT_EQ(root_.contents(), before) << "no trace";
  ASSERT_OK(del({"a", "eth0"}, one));
  EXPECT_OK(status(request("STATUS", {}, one)));
}

TEST_F(HostLocal, StatusNamesEveryFullSet) {
  const std::string two = R"("ranges": [[{"subnet": "10.1.0.0/30"}], [{"subnet": "10.2.0.0/30"}]])";
  given({"c1", "eth0"}, two);
  EXPECT_ERROR(status(request("STATUS", {}, two)), Code::kNotAvailable, "10.1.0.0/30 (1 of 1", "10.2.0.0/30 (1 of 1");
}

TEST_F(HostLocal, StatusCountsOnWhatAddWouldReclaim) {
  const std::string one = R"("ranges": [[{"subnet": "10.1.0.0/30"}]])";
  root_.write("net/10.1.0.2", "");
  EXPECT_OK(status(request("STATUS", {}, one)));
  EXPECT_TRUE(root_.has("net/10.1.0.2")) << "but leaves that to ADD";
  root_.write("net/10.1.0.2", "the printer");
  EXPECT_ERROR(status(request("STATUS", {}, one)), Code::kNotAvailable, "(1 of 1 reserved)");
}

TEST_F(HostLocal, StatusMakesNoLockAndNamesOneThatIsKept) {
  root_.write("net/10.1.0.2", "c1\r\neth0");
  EXPECT_OK(status(request("STATUS", {}, kOneSet)));
  EXPECT_FALSE(root_.has("net/lock"));
  root_.write("net/lock", "");
  const UniqueFd lock(::open(root_.at("net/lock").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_ERROR(status(request("STATUS", {}, kOneSet + R"(, "lockTimeoutSeconds": 1)")), Code::kNotAvailable,
               root_.at("net/lock"));
}

TEST_F(HostLocal, GcReleasesWhatNoValidAttachmentHolds) {
  for (const Attachment& pod : {Attachment{"c1", "eth0"}, {"c1", "eth1"}, {"c2", "eth0"}}) given(pod);
  root_.write("net/10.9.0.1", "gone\r\neth0");
  root_.write("net/10.9.0.2", "c1");
  root_.write("net/10.9.0.3", "gone");
  root_.write("net/10.9.0.4", "");
  root_.write("net/10.9.0.5", "the printer");
  ASSERT_OK(gc(R"([{"containerID": "c1", "ifname": "eth0"}])"));
  const auto left = root_.contents();
  Texts names;
  for (const auto& [name, content] : left) names.push_back(name);
  EXPECT_EQ(names, Texts({"net", "net/10.1.0.2", "net/10.9.0.2", "net/10.9.0.5", "net/fd01::2",
                          "net/last_reserved_ip.0", "net/last_reserved_ip.1", "net/lock"}));
}

TEST_F(HostLocal, GcOfAnEmptyListReleasesAll) {
  given({"c1", "eth0"});
  ASSERT_OK(gc("[]", R"("ranges": 5)")) << "the ranges do not matter";
  EXPECT_FALSE(root_.has("net/10.1.0.2"));
  EXPECT_FALSE(root_.has("net/fd01::2"));
}

TEST_F(HostLocal, GcWithoutTheListReleasesNothing) {
  given({"c1", "eth0"});
  EXPECT_ERROR(host_local::gc(request("GC", {}, kTwoSets)), Code::kInvalidConfig, "cni.dev/valid-attachments");
  EXPECT_TRUE(root_.has("net/10.1.0.2"));
}

TEST_F(HostLocal, GcOfAnUnknownNetworkMakesNothing) {
  EXPECT_OK(gc("[]"));
  EXPECT_TRUE(root_.contents().empty());
}

TEST_F(HostLocal, EveryVerbIsNamed) {
  const protocol::Plugin verbs = plugin();
  EXPECT_EQ(verbs.name, "host-local");
  EXPECT_TRUE(verbs.add && verbs.del && verbs.check && verbs.status && verbs.gc);
  EXPECT_OK(protocol::parse_json(verbs.example_config));
}

}  // namespace
}  // namespace cnio::host_local
