// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Our table as somebody else may have bent it: mended by ADD or refused with the reason, found by CHECK, and never a
// cause to remove what is not ours.
#include <cstdio>
#include <sys/utsname.h>

#include <gmock/gmock.h>

#include "masquerade_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kChain = "att-917148ec47923f2e-f4d01f2ef4b92245";  // of c1
constexpr const char* kFreshTable = "table inet cnio_masquerade\ndelete table inet cnio_masquerade\n";

void load(const std::string& script) { must_feed({"nft", "-f", "-"}, script + "\n"); }

// The shared part as nft would load it, with some of it replaced.
struct Shape {
  std::string name;
  std::string complaint;  // CHECK's
  std::string table_flags = {};
  std::string map4 = "type ipv4_addr : verdict;";
  std::string map6 = "type ipv6_addr : verdict;";
  std::string hook = "type nat hook postrouting priority srcnat;";
  std::string rules = "ip saddr vmap @attachments4; ip6 saddr vmap @attachments6;";
  std::string more = {};

  [[nodiscard]] std::string text() const {
    return "table inet cnio_masquerade {\n" + table_flags + "\nmap attachments4 { " + map4 + " }\nmap attachments6 { " +
           map6 + " }\n" + more + "\nchain postrouting { " + hook + " " + rules + " }\n}\n";
  }
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

class HostileMasquerade : public MasqueradeTest {
 protected:
  static Status status() {
    return firewall::rehearse_masquerade(firewall::MasqueradeBackend::kNftables, environment());
  }
  static bool dormant() { return ruleset().find("flags dormant") != std::string::npos; }
};

class MendedMasquerade : public HostileMasquerade, public ::testing::WithParamInterface<Shape> {};

TEST_P(MendedMasquerade, ByTheNextAdd) {
  FAULT("A4 mended");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  load(kFreshTable);
  load(GetParam().text());
  EXPECT_OK(status()) << "ADD can mend it";
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  EXPECT_FALSE(dormant());
  EXPECT_THAT(ruleset(), HasSubstr("type nat hook postrouting priority srcnat; policy accept;\n\t\tip saddr vmap "
                                   "@attachments4\n\t\tip6 saddr vmap @attachments6\n\t}"));
  ASSERT_OK(remove(identity("c1")));
  EXPECT_EQ(ruleset(), "");
}

TEST_P(MendedMasquerade, IsFoundByCheck) {
  FAULT("A4 found");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  // What the pod has stays, as far as it fits.
  const std::string all = ruleset();
  const std::string chain = all.substr(all.find(std::string("\tchain ") + kChain));
  load(kFreshTable);
  Shape shape = GetParam();
  shape.more = chain.substr(0, chain.find("\n\t}") + 4) + shape.more;
  shape.map4 += std::string(" elements = { 10.1.0.2 : goto ") + kChain + " }";
  shape.map6 += std::string(" elements = { fd00:1::2 : goto ") + kChain + " }";
  load(shape.text());
  EXPECT_ERROR(check(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})), Code::kCheckFailed, GetParam().complaint.c_str());
  ASSERT_OK(install(spec("c2", {"10.1.0.3/24", "fd00:1::3/64"}))) << "another pod's ADD";
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  ASSERT_OK(remove(identity("c1")));
  ASSERT_OK(remove(identity("c2")));
  EXPECT_EQ(ruleset(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, MendedMasquerade,
    ::testing::Values(
        Shape{.name = "Dormant", .complaint = "is dormant", .table_flags = "flags dormant;"},
        Shape{.name = "NoBaseChain", .complaint = "is no base chain", .hook = ""},
        Shape{.name = "OtherHook",
              .complaint = "is of type nat at hook input with priority 100",
              .hook = "type nat hook input priority 100;",
              .rules = ""},
        Shape{.name = "OtherType",
              .complaint = "is of type filter at hook postrouting",
              .hook = "type filter hook postrouting priority srcnat;",
              .rules = ""},
        Shape{.name = "OtherPriority",
              .complaint = "with priority 300, not of type nat",
              .hook = "type nat hook postrouting priority 300;"},
        Shape{.name = "DropsByPolicy",
              .complaint = "drops by policy",
              .hook = "type nat hook postrouting priority srcnat; policy drop;"},
        Shape{.name = "DormantAndNoBaseChain", .complaint = "is dormant", .table_flags = "flags dormant;", .hook = ""},
        Shape{.name = "OtherOrder",
              .complaint = "in another order",
              .rules = "ip6 saddr vmap @attachments6; ip saddr vmap @attachments4;"},
        Shape{.name = "RuleInFront",
              .complaint = "other rules",
              .rules = "accept; ip saddr vmap @attachments4; ip6 saddr vmap @attachments6;"},
        Shape{.name = "RuleBetween",
              .complaint = "other rules",
              .rules = "ip saddr vmap @attachments4; counter; ip6 saddr vmap @attachments6;"}),
    [](const auto& test) { return test.param.name; });

class RefusedMasquerade : public HostileMasquerade, public ::testing::WithParamInterface<Shape> {};

// A map of intervals takes single addresses, too, and the kernel refuses none of them before Linux 6.4: there it is
// CHECK that finds it.
bool takes_intervals_for_addresses() {
  utsname names{};
  int major = 0;
  int minor = 0;
  return uname(&names) == 0 && std::sscanf(names.release, "%d.%d", &major, &minor) == 2 &&
         (major < 6 || (major == 6 && minor < 4));
}

TEST_P(RefusedMasquerade, WithTheReason) {
  FAULT("A4 refused");
  load(GetParam().text());
  if (GetParam().name == "MapOfIntervals" && takes_intervals_for_addresses()) {
    const auto asked = spec("c1", {"10.1.0.2/24", "fd00:1::2/64"});
    ASSERT_OK(install(asked));
    EXPECT_ERROR(check(asked), Code::kCheckFailed, GetParam().complaint.c_str());
    return;
  }
  const std::string before = ruleset();
  EXPECT_ERROR(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})), Code::kConflict, GetParam().complaint.c_str());
  EXPECT_ERROR(status(), Code::kConflict, GetParam().complaint.c_str());
  EXPECT_EQ(ruleset(), before);
  EXPECT_OK(remove(identity("c1"), {"10.1.0.2"})) << "DEL gets through";
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedMasquerade,
    ::testing::Values(Shape{.name = "MapOfOtherKeys",
                            .complaint = "map attachments4 is not",
                            .map4 = "type inet_service : verdict;",
                            .rules = ""},
                      Shape{.name = "MapOfIntervals",
                            .complaint = "map attachments6 is not",
                            .map6 = "type ipv6_addr : verdict; flags interval;"},
                      Shape{.name = "MapToAddresses",
                            .complaint = "map attachments4 is not",
                            .map4 = "type ipv4_addr : ipv4_addr;",
                            .rules = ""},
                      Shape{.name = "DormantWithAForeignBaseChain",
                            .complaint = "chain theirs of somebody else would come to life",
                            .table_flags = "flags dormant;",
                            .more = "chain theirs { type filter hook forward priority 0; policy drop; }"},
                      Shape{.name = "ForeignRuleLeadsToIt",
                            .complaint = "chain theirs of somebody else leads to it",
                            .hook = "",
                            .more = "chain postrouting { }\nchain theirs { jump postrouting; }"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HostileMasquerade, ASetInPlaceOfTheMapIsRefused) {
  FAULT("A4 refused");
  load("add table inet cnio_masquerade\nadd set inet cnio_masquerade attachments4 { type ipv4_addr; }");
  EXPECT_ERROR(install(spec("c1", {"10.1.0.2/24"})), Code::kConflict, "map attachments4 is not");
}

TEST_F(HostileMasquerade, AMapThatIsFullIsRefused) {
  FAULT("A4 refused");
  Shape shape;
  shape.map4 += " size 1; elements = { 192.0.2.9 : accept }";
  load(shape.text());
  EXPECT_ERROR(install(spec("c1", {"10.1.0.2/24"})), Code::kConflict, "has a size, and is full");
}

TEST_F(HostileMasquerade, ATableOfAProgramThatOwnsItIsRefused) {
  FAULT("A4 refused");
  FILE* owner = popen("nft -i > /dev/null", "w");  // as long as it runs
  ASSERT_NE(owner, nullptr);
  std::fputs("add table inet cnio_masquerade { flags owner; }\nadd table inet done\n", owner);
  std::fflush(owner);
  while (ruleset().find("table inet done") == std::string::npos) {
  }
  if (ruleset().find("flags owner") == std::string::npos) {  // before Linux 5.12 no table has an owner
    EXPECT_OK(install(spec("c1", {"10.1.0.2/24"})));
    pclose(owner);
    return;
  }
  EXPECT_ERROR(install(spec("c1", {"10.1.0.2/24"})), Code::kConflict, "which alone may change it");
  EXPECT_ERROR(status(), Code::kConflict, "which alone may change it");
  EXPECT_OK(remove(identity("c1")));
  pclose(owner);
}

TEST_F(HostileMasquerade, ManyAtOnceMendIt) {
  FAULT("A4 mended");
  constexpr int kProcesses = 20;
  for (const char* flags : {"flags dormant;", ""}) {
    Shape shape;
    shape.table_flags = flags;
    shape.hook = "";
    load(shape.text());
    const auto pod = [](int i) { return spec("c" + std::to_string(i), {"10.1.0." + std::to_string(i + 2) + "/24"}); };
    EXPECT_EQ(failures_of(kProcesses, [&](int i) { return install(pod(i)).ok(); }), 0);
    for (int i = 0; i < kProcesses; ++i) EXPECT_OK(check(pod(i)));
    EXPECT_EQ(failures_of(kProcesses, [&](int i) { return remove(pod(i).who).ok(); }), 0);
    EXPECT_EQ(ruleset(), "");
  }
}

TEST_F(HostileMasquerade, ABaseChainUnderTheAttachmentsNameIsReplaced) {
  FAULT("A4 mended");
  ASSERT_OK(install(spec("c2", {"10.1.0.3/24"})));
  const std::string before = ruleset();
  load(std::string("add chain inet cnio_masquerade ") + kChain +
       " { type filter hook forward priority 0; policy drop; }\nadd element inet cnio_masquerade attachments4 { "
       "10.1.0.2 "
       ": accept }");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24"})));
  EXPECT_THAT(ruleset(), Not(HasSubstr("hook forward")));
  ASSERT_OK(remove(identity("c1")));
  EXPECT_EQ(ruleset(), before);
}

/// What a user put into our table, and what of ours is gone besides, so that counting would not notice.
struct Guest {
  std::string name;
  std::string script;
  std::string stays;
};
void PrintTo(const Guest& guest, std::ostream* out) { *out << guest.name; }

class MasqueradeWithAGuest : public MasqueradeTest, public ::testing::WithParamInterface<Guest> {};

TEST_P(MasqueradeWithAGuest, LeavesItAlone) {
  FAULT("A4 guest");
  const auto with_table = [](const std::string& what) { return "inet cnio_masquerade " + what; };
  for (const std::string& missing :
       {std::string(), "flush chain " + with_table("postrouting") + "\ndelete map " + with_table("attachments6"),
        "delete chain " + with_table("postrouting"),
        "flush chain " + with_table("postrouting") + "\ndelete chain " + with_table("postrouting") + "\ndelete map " +
            with_table("attachments6")}) {
    ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
    load(GetParam().script);
    if (!missing.empty()) load(missing);
    ASSERT_OK(remove(identity("c1"))) << missing;
    EXPECT_THAT(ruleset(), HasSubstr(GetParam().stays)) << missing;
    EXPECT_THAT(ruleset(), Not(HasSubstr("att-917"))) << missing;
    load(kFreshTable);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, MasqueradeWithAGuest,
    ::testing::Values(Guest{"Chain", "add chain inet cnio_masquerade mine", "chain mine"},
                      Guest{"BaseChain", "add chain inet cnio_masquerade mine { type filter hook forward priority 0; }",
                            "chain mine"},
                      Guest{"Set", "add set inet cnio_masquerade mine { type ipv4_addr; }", "set mine"},
                      Guest{"Map", "add map inet cnio_masquerade mine { type ipv4_addr : verdict; }", "map mine"},
                      Guest{"Counter", "add counter inet cnio_masquerade mine", "counter mine"},
                      Guest{"Quota", "add quota inet cnio_masquerade mine { over 1 mbytes }", "quota mine"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HostileMasquerade, WithoutAGuestTheTableGoesThoughPartsOfItAreMissing) {
  FAULT("A4 guest");
  for (const char* missing :
       {"flush chain inet cnio_masquerade postrouting\ndelete map inet cnio_masquerade attachments6",
        "delete chain inet cnio_masquerade postrouting"}) {
    ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
    load(missing);
    ASSERT_OK(remove(identity("c1")));
    EXPECT_EQ(ruleset(), "");
  }
}

TEST_F(HostileMasquerade, ARuleOfSomebodyElseThatLeadsToTheChainDoesNotStopDel) {
  FAULT("A4 guest");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  load(std::string("add chain inet cnio_masquerade mine\nadd rule inet cnio_masquerade mine jump ") + kChain);
  ASSERT_OK(remove(identity("c1")));
  EXPECT_THAT(ruleset(), HasSubstr("chain mine"));
  EXPECT_THAT(ruleset(), Not(HasSubstr("10.1.0.2")));
  EXPECT_THAT(ruleset(), Not(HasSubstr("masquerade\n\t}"))) << "an empty chain does nothing";
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24"})));
}

TEST_F(HostileMasquerade, AMapMadeAnewInAnotherFormDoesNotStopDel) {
  FAULT("A4 guest");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  load(
      "flush chain inet cnio_masquerade postrouting\ndelete map inet cnio_masquerade attachments4\n"
      "add map inet cnio_masquerade attachments4 { type inet_service : verdict; }");
  EXPECT_ERROR(check(spec("c1", {"10.1.0.2/24"})), Code::kCheckFailed, "attachments4");
  ASSERT_OK(remove(identity("c1")));
  EXPECT_THAT(ruleset(), Not(HasSubstr(kChain)));
}

}  // namespace
}  // namespace cnio::test
