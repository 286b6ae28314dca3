// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Completions and the manual page, from a command line of the kind that cnioctl has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/command_line/field.hpp"
#include "cnioctl/manual/completion.hpp"
#include "cnioctl/manual/man_page.hpp"

namespace cnio::cnioctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Option kProgram[] = {{.name = "json", .about = "for programs", .to = field<&Line::json>()}};
constexpr Option kIpam[] = {{.name = "state",
                             .value = "STATE",
                             .choices = "live|gone",
                             .about = "of this state: one",
                             .to = field<&Line::look, &LookOptions::state>()}};
constexpr Option kGc[] = {{.name = "POD",
                           .about = "which",
                           .need = Need::kRequired,
                           .to = field<&Line::look, &LookOptions::check, &CheckOptions::pods>()},
                          {.letter = 'b',
                           .name = "bin",
                           .value = kFolder,
                           .about = "where it is",
                           .to = field<&Line::look, &LookOptions::bin>()}};
constexpr Option kShow[] = {{.name = "FILE",
                             .value = kFile,
                             .about = "it",
                             .need = Need::kRequired,
                             .to = field<&Line::subnet, &SubnetOptions::file>()}};

Outcome nothing(Line& /*line*/) { return {}; }

class Manual : public ::testing::Test {
 protected:
  const CommandLine all_ = {"about it",
                            kProgram,
                            {{"ipam", "host-local's addresses", {kIpam}, nothing},
                             {"gc", "removes", {kGc}, nothing},
                             {"subnet", "the file"},
                             {"subnet show", "what it says", {kShow}, nothing},
                             {"hidden", "nobody's", {}, nothing, false, true}}};
  const std::vector<VerbWords> words_ = words_of(all_);
};

TEST_F(Manual, KnowsVerbsInTheirOrder) {
  std::vector<std::string> names;
  for (const VerbWords& each : words_) names.push_back(each.name());
  EXPECT_THAT(names, ElementsAre("", "ipam", "gc", "subnet", "subnet show"));
  EXPECT_THAT(words_[0].verbs, ElementsAre("ipam", "gc", "subnet"));
}

TEST_F(Manual, KnowsWhatEachTakes) {
  const OptionWords& state = words_[1].options.back();
  EXPECT_THAT(state.names, ElementsAre("--state"));
  EXPECT_THAT(state.choices, ElementsAre("live", "gone"));
  const OptionWords& bin = words_[2].options.back();
  EXPECT_THAT(bin.names, ElementsAre("-b", "--bin"));
  EXPECT_EQ(bin.preset, "/opt/cni/bin");
  EXPECT_TRUE(bin.takes_value && bin.is_file);
  ASSERT_EQ(words_[2].things.size(), 1U);
  EXPECT_TRUE(words_[2].things[0].required && words_[2].things[0].many);
  EXPECT_FALSE(words_[0].options.back().takes_value);
}

TEST_F(Manual, APageForMan) {
  const std::string page = man_page(words_);
  EXPECT_THAT(page, AllOf(HasSubstr(".SS \\fBgc\\fR \\fIPOD\\fR...\nremoves\n"),
                          HasSubstr(".TP\n\\fB\\-\\-state\\fR \\fBlive\\fR|\\fBgone\\fR\nof this state: one\n"),
                          HasSubstr(".SS \\fBsubnet show\\fR \\fIFILE\\fR\n"),
                          HasSubstr("\\fB\\-\\-bin\\fR \\fIDIR\\fR\nwhere it is (without it: /opt/cni/bin)\n"),
                          Not(HasSubstr("hidden"))));
}

TEST_F(Manual, FishIsToldOfVerbsAndValues) {
  const std::string script = fish_completion(words_);
  EXPECT_THAT(script,
              AllOf(HasSubstr("complete -c cnioctl -n '__fish_use_subcommand' -a ipam -d 'host-local\\'s addresses'\n"),
                    HasSubstr(" -l state -x -a 'live gone' -d 'of this state: one'\n"),
                    HasSubstr(" -s b -l bin -r -F -d 'where it is'\n")));
}

TEST_F(Manual, ZshIsToldOfVerbsAndValues) {
  const std::string script = zsh_completion(words_);
  EXPECT_THAT(script, AllOf(HasSubstr("#compdef cnioctl\n"), HasSubstr("'ipam:host-local'\\''s addresses'"),
                            HasSubstr("'ipam:--state') _cnioctl_values 'live gone'; return ;;"),
                            HasSubstr("'--state:of this state\\: one'")));
}

}  // namespace
}  // namespace cnio::cnioctl
