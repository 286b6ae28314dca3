// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/delegate.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::attachment {
namespace {

using protocol::Command;
using ::testing::HasSubstr;

constexpr char kConfig[] = "{\"cniVersion\": \"1.0.0\",  \"name\": \"n\", \"type\": \"bridge\"}\n";

// Delegates are shell scripts in folders of CNI_PATH.
class DelegateTest : public ::testing::Test {
 protected:
  // Makes an executable plugin whose script sees $here, the folder of the test.
  void plugin(const std::string& name, const std::string& script, unsigned mode = 0755) const {
    folder_.write(name, "#!/bin/sh\nhere=" + folder_.path() + "\n" + script + "\n");
    std::filesystem::permissions(folder_.at(name), std::filesystem::perms(mode));
  }
  // A plugin that notes the command, stdin and environment of each call.
  void recorder(const std::string& name, const std::string& script) const {
    plugin(
        name,
        "echo $CNI_COMMAND >> $here/commands; cat > $here/stdin.$CNI_COMMAND; env | sort > $here/env.$CNI_COMMAND\n" +
            script);
  }
  const protocol::Request& request() {
    const protocol::Environment environment(
        {"PATH=/usr/bin:/bin", "CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none", "CNI_IFNAME=eth0",
         "CNI_PATH=" + folder_.at("a") + ":" + folder_.at("b"), "CNI_ARGS=A=1;B=2", "FOREIGN=kept"});
    auto parsed = protocol::parse_environment(environment);
    EXPECT_OK(parsed);
    request_ = std::move(parsed).value();
    EXPECT_OK(protocol::parse_stdin(request_, kConfig));
    return request_;
  }
  Result<protocol::AddResult> add(const std::string& type = "ipam", const DelegateLimits& limits = {}) {
    CNIO_LET(const Delegate delegate, Delegate::find(request(), type, limits));
    CNIO_LET(Delegate::Adding adding, delegate.start_add());
    return adding.finish();
  }
  Status run(Command command, const std::string& type = "ipam") {
    CNIO_LET(const Delegate delegate, Delegate::find(request(), type));
    return delegate.run(command);
  }
  std::string commands() const { return folder_.has("commands") ? folder_.read("commands") : ""; }

  test::TempFolder folder_;
  protocol::Request request_;
};

// ---- finding

TEST_F(DelegateTest, IsTheFirstInCniPath) {
  PARITY("T88");
  plugin("b/ipam", "exit 0");
  const auto in_b = Delegate::find(request(), "ipam");
  ASSERT_OK(in_b);
  EXPECT_EQ(in_b.value().type(), "ipam");
  plugin("a/ipam", "echo from a >&2; exit 1");
  EXPECT_THAT(run(Command::kDel).error().details(), HasSubstr("from a"));
}

// CVE-2021-20206.
TEST_F(DelegateTest, ANameWithAPathIsRefused) {
  PARITY("T88");
  plugin("evil", "touch $here/executed");
  for (const std::string& type : {std::string("../evil"), std::string("a/../../evil"), folder_.at("evil"),
                                  std::string("/bin/true"), std::string("."), std::string("..")}) {
    EXPECT_ERROR(add(type), Code::kInvalidConfig, "ipam.type", type) << type;
  }
  EXPECT_FALSE(folder_.has("executed"));
}

// Beyond the NUL nothing would be looked at: another program than the one named.
TEST_F(DelegateTest, ANameWithANulIsRefused) {
  plugin("a/ipam", "touch $here/executed");
  EXPECT_ERROR(add(std::string("ipam\0x", 6)), Code::kInvalidConfig, "ipam.type");
  EXPECT_FALSE(folder_.has("executed"));
}

TEST_F(DelegateTest, OneThatIsNotThereIsNamedWithItsPlaces) {
  PARITY("T88");
  for (const char* type : {"none", ""}) {
    const auto result = add(type);
    EXPECT_ERROR(result, Code::kDelegate, "IPAM plugin", "not found", folder_.at("a"), folder_.at("b"));
    EXPECT_THAT(result.error().details(), HasSubstr("install"));
  }
}

// D33: the reference stops at it.
TEST_F(DelegateTest, OneThatCannotBeExecutedDoesNotHideAGoodOne) {
  plugin("a/ipam", "", 0644);
  plugin("b/ipam", "exit 0");
  EXPECT_OK(run(Command::kDel));
}

// ---- running

TEST_F(DelegateTest, GetsTheSameInputAndEnvironmentButForTheCommand) {
  PARITY("T88");
  recorder("a/ipam", "echo '{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": \"10.1.0.5/24\"}]}'");
  ASSERT_OK(add());
  for (const Command command : {Command::kDel, Command::kCheck, Command::kStatus, Command::kGc}) {
    EXPECT_OK(run(command));
  }
  EXPECT_EQ(commands(), "ADD\nDEL\nCHECK\nSTATUS\nGC\n");
  const std::string of_add = folder_.read("env.ADD");
  EXPECT_THAT(of_add, HasSubstr("FOREIGN=kept\n"));
  EXPECT_THAT(of_add, HasSubstr("CNI_ARGS=A=1;B=2\n"));
  EXPECT_THAT(of_add, HasSubstr("CNI_CONTAINERID=c1\n"));
  for (const std::string command : {"ADD", "DEL", "CHECK", "STATUS", "GC"}) {
    EXPECT_EQ(folder_.read("stdin." + command), kConfig);
    std::string expected = of_add;
    expected.replace(expected.find("CNI_COMMAND=ADD"), 15, "CNI_COMMAND=" + command);
    EXPECT_EQ(folder_.read("env." + command), expected);
  }
}

TEST_F(DelegateTest, ItsResultIsReadInItsOwnVersion) {
  plugin("a/ipam", R"(echo '{"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.5/24", "gateway": "10.1.0.1"}}')");
  const auto result = add();
  ASSERT_OK(result);
  EXPECT_EQ(result.value().ips.at(0).gateway->to_string(), "10.1.0.1");
}

TEST_F(DelegateTest, OutputOfVerbsWithoutAnswerIsIgnored) {
  plugin("a/ipam", "echo garbage");
  EXPECT_OK(run(Command::kDel));
}

// ---- failing

TEST_F(DelegateTest, ItsErrorComesBackWhole) {
  PARITY("T88");
  plugin("a/ipam",
         R"(echo '{"cniVersion": "1.0.0", "code": 11, "msg": "store is locked", "details": "by pid 5"}'; exit 1)");
  const auto result = run(Command::kCheck);
  EXPECT_ERROR(result, Code::kTryAgain);
  EXPECT_EQ(result.error().msg(), "IPAM plugin \"ipam\": store is locked");
  EXPECT_EQ(result.error().details(), "by pid 5");
}

TEST_F(DelegateTest, OurOwnPluginsNameThemselves) {
  plugin("a/host-local", R"(echo '{"code": 102, "msg": "host-local: range is exhausted"}'; exit 1)");
  EXPECT_EQ(run(Command::kCheck, "host-local").error().msg(), "IPAM: host-local: range is exhausted");
}

TEST_F(DelegateTest, ForeignCodesStayWhatTheyAre) {
  for (const auto& [code, expected] : std::vector<std::pair<std::string, unsigned>>{{"7", 7},
                                                                                    {"50", 50},
                                                                                    {"999", 999},
                                                                                    {"12345", 12345},
                                                                                    {"0", 101},
                                                                                    {"-1", 101},
                                                                                    {"null", 101},
                                                                                    {"99999999999", 101}}) {
    plugin("a/ipam", "echo '{\"code\": " + code + ", \"msg\": \"m\"}'; exit 1");
    EXPECT_ERROR(run(Command::kStatus), Code{expected}, "m") << code;
  }
}

TEST_F(DelegateTest, MessagesOfSeveralLinesBecomeOne) {
  plugin("a/ipam", R"(printf %s '{"code": 7, "msg": "first\nsecond\n"}'; exit 1)");
  EXPECT_EQ(run(Command::kCheck).error().msg(), "IPAM plugin \"ipam\": first second");
}

TEST_F(DelegateTest, AnErrorWithoutMessageSaysHowItEnded) {
  plugin("a/ipam", "echo '{\"code\": 7}'; exit 3");
  EXPECT_ERROR(run(Command::kCheck), Code::kInvalidConfig, "failed without a message (exit status 3)");
}

TEST_F(DelegateTest, WithoutAnErrorObjectItsWordsAreQuoted) {
  PARITY("T88");
  plugin("a/ipam", "echo 'lines on' >&2; echo stderr >&2; exit 2");
  const auto on_stderr = run(Command::kCheck);
  EXPECT_ERROR(on_stderr, Code::kDelegate, "IPAM plugin \"ipam\"", "without an error object (exit status 2)");
  EXPECT_EQ(on_stderr.error().details(), "it printed \"lines on stderr\"");

  plugin("a/ipam", "echo garbage; echo noise >&2; exit 2");
  EXPECT_EQ(run(Command::kCheck).error().details(), "it printed \"garbage\"");

  plugin("a/ipam", "exit 2");
  EXPECT_EQ(run(Command::kCheck).error().details(), "");

  plugin("a/ipam", "kill -KILL $$");
  EXPECT_ERROR(run(Command::kCheck), Code::kDelegate, "killed by signal 9");

  plugin("a/ipam", "echo '{\"code\": \"seven\", \"msg\": \"m\"}'; exit 1");
  EXPECT_ERROR(run(Command::kCheck), Code::kDelegate, "without an error object");
}

// As a plugin does that checks for its own namespace after its work.
TEST_F(DelegateTest, AResultAndAnErrorInOneAreNoAnswer) {
  plugin("a/ipam", "echo '{\"cniVersion\": \"1.0.0\"}'; echo '{\"code\": 8, \"msg\": \"m\"}'; exit 1");
  EXPECT_ERROR(run(Command::kCheck), Code::kDelegate, "without an error object");
}

TEST_F(DelegateTest, ThatPrintsNoResultIsAnError) {
  PARITY("T88");
  plugin("a/ipam", "exit 0");
  EXPECT_ERROR(add(), Code::kDelegate, "IPAM plugin \"ipam\": it printed nothing");
  plugin("a/ipam", "echo oops");
  EXPECT_ERROR(add(), Code::kDelegate, "IPAM plugin \"ipam\": its answer is not JSON");
}

TEST_F(DelegateTest, ThatNeverEndsItsOutputIsAnError) {
  plugin("a/ipam", "[ $CNI_COMMAND = DEL ] || exec yes");
  EXPECT_ERROR(add(), Code::kDelegate, "IPAM plugin \"ipam\"", "wrote more than 1048576 bytes");
}

TEST_F(DelegateTest, ThatCannotBeStartedIsAnError) {
  folder_.write("a/ipam", "#!/nonexistent/interpreter\n");
  std::filesystem::permissions(folder_.at("a/ipam"), std::filesystem::perms(0755));
  EXPECT_ERROR(add(), Code::kDelegate, "IPAM plugin \"ipam\": start " + folder_.at("a/ipam"), "No such file");
}

// ---- what a failed ADD leaves behind

TEST_F(DelegateTest, AFailedAddIsFollowedByDel) {
  recorder("a/ipam", R"([ $CNI_COMMAND = DEL ] && exit 0; echo '{"code": 11, "msg": "busy"}'; exit 1)");
  const auto result = add();
  EXPECT_ERROR(result, Code::kTryAgain, "busy");
  EXPECT_EQ(result.error().details(), "");
  EXPECT_EQ(commands(), "ADD\nDEL\n");
}

TEST_F(DelegateTest, AnAnswerThatCannotBeReadIsFollowedByDel) {
  recorder("a/ipam", "echo nonsense");
  EXPECT_ERROR(add(), Code::kDelegate, "not JSON");
  EXPECT_EQ(commands(), "ADD\nDEL\n");
}

// DEL would release the address of the living attachment that is in the way.
TEST_F(DelegateTest, AConflictIsNotFollowedByDel) {
  recorder("a/ipam", R"(echo '{"code": 103, "msg": "exists"}'; exit 1)");
  EXPECT_ERROR(add(), Code::kConflict, "exists");
  EXPECT_EQ(commands(), "ADD\n");
}

TEST_F(DelegateTest, OneThatHangsIsKilledAndFollowedByDel) {
  recorder("a/ipam", "[ $CNI_COMMAND = DEL ] || exec sleep 600");
  const auto result = add("ipam", {.call_ms = 500});
  EXPECT_ERROR(result, Code::kTryAgain, "IPAM plugin \"ipam\": ", "a/ipam did not end within 500 ms and was killed");
  EXPECT_EQ(result.error().details(), "");
  EXPECT_EQ(commands(), "ADD\nDEL\n");
}

TEST_F(DelegateTest, OneThatHangsInItsDelTooIsGivenUp) {
  recorder("a/ipam", "exec sleep 600");
  const auto result = add("ipam", {.call_ms = 500, .release_ms = 501});
  EXPECT_ERROR(result, Code::kTryAgain, "did not end within 500 ms");
  EXPECT_THAT(result.error().details(), HasSubstr("its DEL failed too: IPAM plugin \"ipam\": "));
  EXPECT_THAT(result.error().details(), HasSubstr("did not end within 501 ms and was killed"));
}

// The kubelet waits for two minutes, and host-local for its lock.
TEST(DelegateLimits, LeaveTimeForTheUndoAndForLocks) {
  EXPECT_LE(DelegateLimits().call_ms + DelegateLimits().release_ms, 120'000);
  EXPECT_GT(DelegateLimits().call_ms, 20'000);
}

TEST_F(DelegateTest, ADelThatFailsTooIsMentioned) {
  recorder("a/ipam", R"(echo '{"code": 5, "msg": "no '$CNI_COMMAND'", "details": "d"}'; exit 1)");
  const auto result = add();
  EXPECT_ERROR(result, Code::kIo, "no ADD");
  EXPECT_EQ(result.error().details(), "d; its DEL failed too: IPAM plugin \"ipam\": no DEL");
}

TEST_F(DelegateTest, ASuccessfulAddIsNotFollowedByAnything) {
  recorder("a/ipam", "echo '{}'");
  EXPECT_OK(add());
  EXPECT_EQ(commands(), "ADD\n");
}

TEST_F(DelegateTest, OtherFailedVerbsAreNotFollowedByDel) {
  recorder("a/ipam", "exit 1");
  EXPECT_ERROR(run(Command::kCheck), Code::kDelegate);
  EXPECT_EQ(commands(), "CHECK\n");
}

}  // namespace
}  // namespace cnio::attachment
