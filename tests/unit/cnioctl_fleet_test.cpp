// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl lint --fleet`: the files of many nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnioctl/lint.hpp"
#include "support/temp_folder.hpp"

namespace cnio::test {
namespace {

using cnioctl::Exit;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What a node's file has, line by line; only the last of them differ from node to node.
struct NodeFile {
  std::string subnet;
  std::string gateway = {};
  std::string mtu = "1500";
  std::string exclude = R"(["10.240.0.0/16"])";
  std::string more = {};  // plugins

  [[nodiscard]] std::string text() const {
    return "{\"cniVersion\": \"1.1.0\", \"name\": \"mynet\",\n\"plugins\": [{\"type\": \"bridge\", \"isGateway\": "
           "true,\n"
           "\"mtu\": " +
           mtu + ",\n\"ipMasq\": true, \"ipMasqExclude\": " + exclude + ",\n" +
           "\"ipam\": {\"type\": \"host-local\", \"subnet\": \"" + subnet + "\"" +
           (gateway.empty() ? "" : ", \"gateway\": \"" + gateway + "\"") + "}}" + more + "]}\n";
  }
};

class Fleet : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) const { folder_.write("fleet/" + name, text); }
  void put_three() const {
    put("a.conflist", NodeFile{"10.240.1.0/24"}.text());
    put("b.conflist", NodeFile{"10.240.2.0/24"}.text());
    put("c.conflist", NodeFile{"10.240.3.0/24"}.text());
  }
  // The lines, without the folder's path.
  std::vector<std::string> look(bool strict = false) {
    cnioctl::LintOptions options{{folder_.at("fleet")}};
    options.fleet = true;
    options.strict = strict;
    cnioctl::Outcome outcome = cnioctl::run_lint(options, false);
    exit_ = outcome.exit;
    std::vector<std::string> lines;
    for (size_t at = 0; at < outcome.out.size();) {
      const size_t end = outcome.out.find('\n', at);
      std::string line = outcome.out.substr(at, end - at);
      if (line.starts_with(folder_.path())) line.erase(0, folder_.path().size() + 1);
      lines.push_back(std::move(line));
      at = end + 1;
    }
    return lines;
  }

  TempFolder folder_;
  Exit exit_ = Exit::kWell;
};

TEST_F(Fleet, OfNodesThatDifferInTheirSubnetsAloneIsWell) {
  put("a.conflist", NodeFile{"10.240.1.0/24", "10.240.1.1"}.text());
  put("b.conflist", NodeFile{"10.240.2.0/24", "10.240.2.1"}.text());
  put("c/10-net.conflist", NodeFile{"10.240.3.0/24", "10.240.3.254"}.text());
  put("c/05-lo.conf", R"({"cniVersion": "1.1.0", "name": "lo", "type": "loopback"})");
  put("README", "not looked at");
  EXPECT_THAT(look(true), IsEmpty());
  EXPECT_EQ(exit_, Exit::kWell);
}

TEST_F(Fleet, NamesTwoNodesOfOneSubnet) {
  put_three();
  put("d.conflist", NodeFile{"10.240.2.0/24"}.text());
  EXPECT_THAT(look(), ElementsAre("fleet/d.conflist: error: 10.240.2.0/24 has addresses of 10.240.2.0/24 of "
                                  "b.conflist: both nodes would give them [same-subnet]"));
  EXPECT_EQ(exit_, Exit::kFound);
}

TEST_F(Fleet, IsSaidToProgramsToo) {
  put("a.conflist", NodeFile{"10.240.1.0/24"}.text());
  put("b.conflist", NodeFile{"10.240.1.0/24"}.text());
  cnioctl::LintOptions options{{folder_.at("fleet")}};
  options.fleet = true;
  const auto said = nlohmann::json::parse(cnioctl::run_lint(options, true).out);
  EXPECT_EQ(said.at("schema"), "cnioctl/1");
  const nlohmann::json finding = {
      {"where", folder_.at("fleet/b.conflist")},
      {"level", "error"},
      {"what", "10.240.1.0/24 has addresses of 10.240.1.0/24 of a.conflist: both nodes would give them"},
      {"kind", "same-subnet"}};
  EXPECT_EQ(said.at("findings"), nlohmann::json::array({finding}));
}

TEST_F(Fleet, NodesMayShareASubnet) {
  const auto with = [](const std::string& part) { return "10.240.0.0/16\", " + part + ", \"dataDir\": \"/d"; };
  put("a.conflist", NodeFile{with(R"("rangeStart": "10.240.1.1", "rangeEnd": "10.240.1.199")")}.text());
  put("b.conflist", NodeFile{with(R"("rangeStart": "10.240.2.1", "rangeEnd": "10.240.2.199")")}.text());
  EXPECT_THAT(look(), IsEmpty());
  put("c.conflist", NodeFile{with(R"("rangeStart": "10.240.2.50", "rangeEnd": "10.240.2.250")")}.text());
  EXPECT_THAT(
      look(),
      ElementsAre("fleet/c.conflist: error: 10.240.2.50-10.240.2.250 has addresses of 10.240.2.1-10.240.2.199 of "
                  "b.conflist: both nodes would give them [same-subnet]"));
}

TEST_F(Fleet, NamesTheNodeOutsideOfWhatOthersExclude) {
  put_three();
  put("d.conflist", NodeFile{"10.250.4.0/24"}.text());
  EXPECT_THAT(look(),
              ElementsAre("fleet/d.conflist: warning: 10.250.4.0/24 lies outside of ipMasqExclude of a.conflist, "
                          "b.conflist, c.conflist: what pods send there carries their node's address "
                          "[not-excluded]"));
  EXPECT_EQ(exit_, Exit::kWell);
  look(true);
  EXPECT_EQ(exit_, Exit::kFound);
}

// Not the nodes that it leaves out.
TEST_F(Fleet, NamesTheNodeThatExcludesTooLittle) {
  put_three();
  put("d.conflist", NodeFile{"10.240.4.0/24", {}, "1500", R"(["10.240.0.0/23"])"}.text());
  EXPECT_THAT(
      look(),
      ElementsAre("fleet/d.conflist: warning: ipMasqExclude leaves out 10.240.2.0/24 of b.conflist, 10.240.3.0/24 "
                  "of c.conflist: what pods send there carries their node's address [not-excluded]",
                  "fleet/d.conflist:4: warning: bridge: key \"ipMasqExclude\" is [\"10.240.0.0/23\"], but "
                  "[\"10.240.0.0/16\"] in 3 of 4 files [differs]"));
}

TEST_F(Fleet, NamesTheOddOnes) {
  put_three();
  put("d.conflist", NodeFile{"10.240.4.0/25", "10.240.4.1", "1400"}.text());
  put("e.conflist",
      NodeFile{"10.240.5.0/24", {}, "1500", R"(["10.240.0.0/16"])", R"(, {"type": "portmap", "snat": true})"}.text());
  EXPECT_THAT(
      look(),
      ElementsAre(
          "fleet/e.conflist:2: warning: the list of plugins is [\"bridge\",\"portmap\"], but [\"bridge\"] in 4 of 5 "
          "files [differs]",
          "fleet/d.conflist:5: warning: bridge: key \"ipam.gateway\" is \"an address of its own\", but not there in "
          "4 of 5 files [differs]",
          "fleet/d.conflist:5: warning: bridge: key \"ipam.subnet\" is \"/25 of its own\", but \"/24 of its own\" in "
          "4 of 5 files [differs]",
          "fleet/d.conflist:3: warning: bridge: key \"mtu\" is 1400, but 1500 in 4 of 5 files [differs]"));
}

TEST_F(Fleet, OfWhichNoMajorityAgreesSaysWhoSaysWhat) {
  put("a.conflist", NodeFile{"10.240.1.0/24", {}, "1500"}.text());
  put("b.conflist", NodeFile{"10.240.2.0/24", {}, "1400"}.text());
  EXPECT_THAT(look(), ElementsAre("fleet: warning: bridge: key \"mtu\" is 1400 in b.conflist; 1500 in a.conflist "
                                  "[differs]"));
}

TEST_F(Fleet, WithNothingToCompareSaysSo) {
  std::filesystem::create_directories(folder_.at("fleet"));
  EXPECT_THAT(look(), ElementsAre("fleet: error: has no file of a network: one for each node is expected [no-files]"));
  EXPECT_EQ(exit_, Exit::kFound);
  put("a.conflist", NodeFile{"10.240.1.0/24"}.text());
  EXPECT_THAT(look(), ElementsAre("fleet: note: a.conflist is the only one: there is nothing to compare it with "
                                  "[no-files]"));
  EXPECT_EQ(exit_, Exit::kWell);
}

TEST_F(Fleet, SaysWhatIsBrokenInOne) {
  put_three();
  put("d.conflist", "{\"torn");
  put("e.conflist", NodeFile{"${NODE_SUBNET}"}.text());
  std::filesystem::create_directories(folder_.at("fleet/f"));
  const auto lines = look();
  ASSERT_EQ(lines.size(), 4U) << ::testing::PrintToString(lines);
  EXPECT_THAT(lines[0], ::testing::HasSubstr("d.conflist: warning"));
  EXPECT_THAT(lines[1], ::testing::HasSubstr("fleet/f: error: there is no network's file in it [no-files]"));
  EXPECT_THAT(lines[2], ::testing::HasSubstr("e.conflist: error: ${NODE_SUBNET} was not filled in [placeholder]"));
  EXPECT_THAT(lines[3], ::testing::HasSubstr("ipam.subnet"));
}

}  // namespace
}  // namespace cnio::test
