// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// DEL after others have changed what belongs to an attachment on the host.
#include "plugin/attachment_fixture.hpp"

namespace cnio::test {
namespace {

class AttachmentDel : public AttachmentTest, public ::testing::WithParamInterface<Change> {
 protected:
  AttachmentDel() {
    result_ = must_add(config_, pod());
    must_add(config_, pod("c2"));
    living_ = host_ends().size() - 1;
    GetParam().make(host_end(result_));
  }
  void expect_gone() const {
    expect_nothing_of("c1", "10.1.0.2");
    EXPECT_TRUE(link_names(pod().netns).empty());
    EXPECT_EQ(host_ends().size(), living_) << "the other's alone";
    EXPECT_TRUE(store_holds("10.1.0.3"));
    EXPECT_EQ(link_names(pod("c2").netns), std::vector<std::string>{"eth0"});
  }

  const Json config_ = full_config();
  Json result_;
  std::size_t living_ = 0;
};
INSTANTIATE_TEST_SUITE_P(After, AttachmentDel, ::testing::ValuesIn(host_end_changes()),
                         [](const auto& test) { return test.param.name; });

TEST_P(AttachmentDel, FindsAllInTheSandbox) {
  FAULT("B5 changed links");
  must_del(config_, pod());
  expect_gone();
  EXPECT_EQ(records(), 1U);
}

TEST_P(AttachmentDel, FindsAllWithoutASandbox) {
  FAULT("B5 changed links");
  must_del(with_prev_result(config_, result_), nowhere(pod()));
  expect_gone();
  EXPECT_EQ(records(), 1U);
}

TEST_P(AttachmentDel, FindsAllWithAnotherConfiguration) {
  FAULT("B5 changed links");
  Json config = config_;
  config["bridge"] = "br1";
  config["hostIfPrefix"] = "tap";
  config.erase("ipMasq");
  config.erase("macspoofchk");
  must_del(config, nowhere(pod()));
  expect_gone();
}

class AttachmentDelWithoutRecord : public AttachmentDel {};
INSTANTIATE_TEST_SUITE_P(After, AttachmentDelWithoutRecord, ::testing::ValuesIn(told_without_record()),
                         [](const auto& test) { return test.param.name; });

TEST_P(AttachmentDelWithoutRecord, GoesByTheMarksAndTheResult) {
  FAULT("B5 record removed");
  lose_records();
  must_del(with_prev_result(config_, result_), pod());
  expect_gone();
}

class AttachmentDelOne : public AttachmentTest {};

// As if /run had been full when it was added again: what is recorded is an earlier life.
TEST_F(AttachmentDelOne, FindsThePairThatCouldNotBeRecorded) {
  FAULT("B5 unrecorded pair");
  const Json config = full_config();
  must_add(config, pod());
  delete_netns("c1");
  ASSERT_TRUE(happens([] { return host_ends().empty(); }));
  const std::string kept = make_folder("kept") + "/records";
  std::filesystem::rename(kRecords, kept);
  must_add(config, pod());
  lose_records();
  std::filesystem::create_directories("/run/cnio");
  std::filesystem::rename(kept, kRecords);
  must_del(config, nowhere(pod()));
  EXPECT_TRUE(host_ends().empty());
  expect_nothing_of("c1", "10.1.0.2");
  EXPECT_EQ(records(), 0U);
}

TEST_F(AttachmentDelOne, ReleasesFromTheStoreThatTheAddressCameFrom) {
  FAULT("B6 store changed");
  Json config = full_config();
  must_add(config, pod());
  config["ipam"]["dataDir"] = make_folder("other-store");
  must_del(config, pod());
  expect_nothing_of("c1", "10.1.0.2");
}

TEST_F(AttachmentDelOne, ReleasesThoughNoIpamPluginIsConfiguredAnyMore) {
  FAULT("B6 store changed");
  Json config = full_config();
  must_add(config, pod());
  config.erase("ipam");
  config.erase("isDefaultGateway");
  must_del(config, pod());
  expect_nothing_of("c1", "10.1.0.2");
}

TEST_F(AttachmentDelOne, WhereNobodyGaveAnAddressNobodyIsMissed) {
  must_add(layer2_config(), pod());
  Json config = layer2_config();
  config["ipam"] = {{"type", "nothere"}};
  EXPECT_TRUE(succeeded_silently(del(config, pod())));
  EXPECT_TRUE(host_ends().empty());
  EXPECT_EQ(records(), 0U);
}

TEST_F(AttachmentDelOne, GetsThroughThoughTheFormerIpamPluginIsGone) {
  FAULT("B6 store changed");
  FakeIpam fake;
  fake.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})"));
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod()))));
  const Outcome outcome = del(bridge_config(), pod());
  EXPECT_TRUE(succeeded_silently(outcome));
  EXPECT_NE(outcome.err.find("fake-ipam"), std::string::npos) << outcome.err;
  EXPECT_TRUE(host_ends().empty());
}

/// Whatever stands where the record is to be.
class HostileRecord : public AttachmentTest, public ::testing::WithParamInterface<std::pair<const char*, const char*>> {
 protected:
  static std::string record_path() { return std::filesystem::directory_iterator(kRecords)->path(); }
};
INSTANTIATE_TEST_SUITE_P(
    Table, HostileRecord,
    ::testing::Values(std::pair("Pipe", "rm $R && mkfifo $R"), std::pair("Folder", "rm $R && mkdir $R"),
                      std::pair("Link", "rm $R && ln -s /dev/zero $R"), std::pair("Text", "echo hello >$R"),
                      std::pair("Huge", "truncate -s 1T $R"), std::pair("Torn", "truncate -s 20 $R"),
                      std::pair("OfAnybody", "chmod 666 $R"), std::pair("FileForTheFolder", "rm -r $D && touch $D"),
                      std::pair("PipeForTheFolder", "rm -r $D && mkfifo $D"),
                      std::pair("LinkForTheFolder", "rm -r $D && ln -s /nowhere $D"),
                      std::pair("NothingAtAll", "rm -r /run/cnio")),
    [](const auto& test) { return std::string(test.param.first); });

TEST_P(HostileRecord, StopsNobody) {
  FAULT("B5 hostile record");
  const Json config = full_config();
  const Json result = must_add(config, pod());
  const auto spoil = [&](const std::string& path) {
    Command command{.argv = {"sh", "-ec", GetParam().second}};
    command.env["R"] = path;
    command.env["D"] = kRecords;
    ASSERT_EQ(run(command).exit_code, 0);
  };
  const std::string path = record_path();
  spoil(path);
  must_del(with_prev_result(config, result), pod());
  EXPECT_TRUE(host_ends().empty());
  expect_nothing_of("c1", "10.1.0.2");

  // The next one is not held up either, nor is GC.
  const Json again = must_add(config, pod());
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, again), pod())));
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {"c1"}))));
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {}))));
  EXPECT_TRUE(host_ends().empty());
  expect_nothing_of("c1", address_of(again));
}

TEST_F(AttachmentDelOne, FailedAddsLeaveNoRecord) {
  FAULT("B5 record that grows");
  Json config = full_config();
  config["ipam"]["ranges"] = Json::parse(R"([[{"subnet": "10.1.0.0/30"}]])");
  must_add(config, pod());
  for (const char* id : {"c2", "c3"}) EXPECT_TRUE(failed(add(config, pod(id)), code::kNoAddress));
  must_run({"ip", "link", "add", "eth0", "type", "bridge"}, pod("c4").netns);
  EXPECT_TRUE(failed(add(config, pod("c4")), code::kInTheWay));
  EXPECT_EQ(records(), 1U);
}

// An ADD that fails after somebody, udev for one, has given the new link another MAC address, and another name.
TEST_F(AttachmentDelOne, AFailedAddTakesItsLinkBackWhateverItIsCalled) {
  FAULT("B5 changed links");
  for (const char* change : {"ip link set $L address 02:00:00:00:00:66", "ip link set $L down name other7"}) {
    FakeIpam fake;
    fake.script("ADD",
                {{.out = R"({"cniVersion": "1.1.0", "code": 7, "msg": "no luck"})",
                  .exit_code = 1,
                  .hook = std::string(kPairStands) +
                          " && L=$(ip -o link show master br0 | sed 's/^[0-9]*: \\([^@:]*\\).*/\\1/') && " + change}});
    EXPECT_TRUE(failed(run(with_fake(fake, "ADD", fake_config(), pod())), code::kConfig, {"no luck"}));
    EXPECT_TRUE(host_ends().empty()) << change;
    EXPECT_EQ(records(), 0U);
    EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL"}));
  }
}

}  // namespace
}  // namespace cnio::test
