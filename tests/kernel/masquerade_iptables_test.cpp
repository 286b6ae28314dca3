// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// The iptables form, judged by iptables-save.
#include <filesystem>

#include <gmock/gmock.h>

#include "masquerade_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kChainOfPod = "CNI-9b00b9b7c2795a8a61a6eec1";

class MasqueradeIptables : public MasqueradeTest {
 protected:
  static firewall::MasqueradeSpec iptables_spec(const std::vector<std::string>& addresses,
                                                const std::vector<std::string>& exclude = {}) {
    auto out = spec("c1", addresses, exclude);
    out.backend = firewall::MasqueradeBackend::kIptables;
    return out;
  }

  static std::string rules(const std::string& program = "iptables") {
    return must_run({program, "-w", "-t", "nat", "-S"});
  }

  /// A folder to be PATH, with some of the real programs in it.
  static std::string path_with(const std::vector<std::string>& programs) {
    const std::string folder = make_folder("bin");
    for (const auto& program : programs) {
      std::filesystem::create_symlink("/usr/sbin/" + program, folder + "/" + program);
    }
    return folder;
  }

  static constexpr const char* kEmpty =
      "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT\n";
};

TEST_F(MasqueradeIptables, MakesTheRulesOfTheReference) {
  PARITY("T66");
  ASSERT_OK(install(iptables_spec({"10.1.0.2/24", "fd00:1::2/64"})));
  const std::string comment = R"( -m comment --comment "name: \"n\" id: \"c1\"" )";
  EXPECT_EQ(rules(), std::string(kEmpty) + "-N " + kChainOfPod + "\n-A POSTROUTING -s 10.1.0.2/32" + comment + "-j " +
                         kChainOfPod + "\n-A " + kChainOfPod + " -d 10.1.0.0/24" + comment + "-j ACCEPT\n-A " +
                         kChainOfPod + " ! -d 224.0.0.0/4" + comment + "-j MASQUERADE\n");
  EXPECT_EQ(rules("ip6tables"), std::string(kEmpty) + "-N " + kChainOfPod + "\n-A POSTROUTING -s fd00:1::2/128" +
                                    comment + "-j " + kChainOfPod + "\n-A " + kChainOfPod + " -d fd00:1::/64" +
                                    comment + "-j ACCEPT\n-A " + kChainOfPod + " ! -d ff00::/8" + comment +
                                    "-j MASQUERADE\n");
}

TEST_F(MasqueradeIptables, InstallTwiceIsInstallOnce) {
  PARITY("T66");
  const auto what = iptables_spec({"10.1.0.2/24"}, {"192.0.2.0/24"});
  ASSERT_OK(install(what));
  const std::string once = rules();
  ASSERT_OK(install(what));
  EXPECT_EQ(rules(), once);
}

TEST_F(MasqueradeIptables, ExceptionsStandBeforeMasquerade) {
  ASSERT_OK(install(iptables_spec({"10.1.0.2/24"}, {"192.0.2.0/24"})));
  // The container's second interface, in another subnet of the same network.
  auto second = iptables_spec({"10.2.0.2/24"});
  second.who.attachment.ifname = "eth1";
  ASSERT_OK(install(second));
  const std::string all = rules();
  for (const char* text : {"-d 10.1.0.0/24", "-d 192.0.2.0/24", "-d 10.2.0.0/24"}) {
    ASSERT_NE(all.find(text), std::string::npos) << text;
    EXPECT_LT(all.find(text), all.find("MASQUERADE")) << text;
  }
}

TEST_F(MasqueradeIptables, RemoveNeedsNeitherAddressesNorTheProgramOfNftTables) {
  PARITY("D19 D20");
  ASSERT_OK(install(iptables_spec({"10.1.0.2/24", "fd00:1::2/64"})));
  ASSERT_OK(remove(identity("c1"), {}, "/nonexistent"));
  EXPECT_EQ(rules(), kEmpty);
  EXPECT_EQ(rules("ip6tables"), kEmpty);
}

TEST_F(MasqueradeIptables, UndoLeavesWhatWasThereBefore) {
  PARITY("D16");
  ASSERT_OK(install(iptables_spec({"10.1.0.2/24"})));
  const std::string before = rules();
  auto second = iptables_spec({"10.2.0.2/24"});
  second.who.attachment.ifname = "eth1";
  Rollback undo;
  ASSERT_OK(install(second, environment(), undo));
  EXPECT_NE(rules(), before);
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_EQ(rules(), before);
}

TEST_F(MasqueradeIptables, MissingProgramIsNamedAndWhatWasMadeIsUndone) {
  PARITY("T65 D16");
  Rollback undo;
  EXPECT_ERROR(install(iptables_spec({"10.1.0.2/24"}), environment("/nonexistent"), undo), Code::kInvalidConfig,
               "ipMasqBackend", "iptables");
  EXPECT_EQ(ruleset(), "");
  const std::string only_ipv4 = path_with({"iptables"});
  EXPECT_ERROR(install(iptables_spec({"10.1.0.2/24", "fd00:1::2/64"}), environment(only_ipv4), undo),
               Code::kInvalidConfig, "ip6tables");
  EXPECT_THAT(rules(), HasSubstr(kChainOfPod));
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_EQ(rules(), kEmpty);
}

TEST_F(MasqueradeIptables, FailureOfTheProgramIsShown) {
  const std::string folder = make_folder("bin");
  write_file(folder + "/iptables", "#!/bin/sh\necho something is broken >&2\nexit 3\n");
  std::filesystem::permissions(folder + "/iptables", std::filesystem::perms::owner_all);
  const Status status = install(iptables_spec({"10.1.0.2/24"}), folder + ":" + kPath);
  EXPECT_ERROR(status, Code::kKernel, "exit status 3");
  EXPECT_THAT(status.error().details(), HasSubstr("something is broken"));
}

TEST_F(MasqueradeIptables, CheckNamesTheMissingRule) {
  const auto what = iptables_spec({"10.1.0.2/24", "fd00:1::2/64"}, {"192.0.2.0/24"});
  EXPECT_ERROR(check(what), Code::kCheckFailed, kChainOfPod);
  ASSERT_OK(install(what));
  EXPECT_OK(check(what));
  must_run({"iptables", "-t", "nat", "-D", kChainOfPod, "2"});
  EXPECT_ERROR(check(what), Code::kCheckFailed, "10.1.0.2");
}

TEST_F(MasqueradeIptables, WorksWithTheLegacyProgram) {
  const std::string folder = make_folder("bin");
  for (const std::string family : {"iptables", "ip6tables"}) {
    write_file(folder + "/" + family, "#!/bin/sh\nexec /usr/sbin/" + family + "-legacy \"$@\"\n");
    std::filesystem::permissions(folder + "/" + family, std::filesystem::perms::owner_all);
  }
  ASSERT_OK(install(iptables_spec({"10.1.0.2/24", "fd00:1::2/64"}), folder));
  EXPECT_THAT(rules("iptables-legacy"), HasSubstr(kChainOfPod));
  EXPECT_THAT(rules("ip6tables-legacy"), HasSubstr(kChainOfPod));
  ASSERT_OK(remove(identity("c1"), {}, folder));
  EXPECT_EQ(rules("iptables-legacy"), kEmpty);
  EXPECT_EQ(rules("ip6tables-legacy"), kEmpty);
}

}  // namespace
}  // namespace cnio::test
