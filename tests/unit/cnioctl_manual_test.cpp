// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Completions and the manual page, from a command line of the kind that cnioctl has.
#include <CLI/CLI.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/manual/completion.hpp"
#include "cnioctl/manual/man_page.hpp"

namespace cnio::cnioctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Manual : public ::testing::Test {
 protected:
  Manual() : app_("about it", "cnioctl") {
    app_.add_flag("--json", json_, "for programs");
    CLI::App* ipam = app_.add_subcommand("ipam", "host-local's addresses");
    ipam->add_option("--state", text_, "of this state: one")->check(CLI::IsMember({"live", "gone"}));
    CLI::App* gc = app_.add_subcommand("gc", "removes");
    CLI::App* what = gc->add_option_group("what");
    what->add_option("-o,--output", text_, "where it goes")->capture_default_str();
    gc->add_option("POD", texts_, "which")->required();
    CLI::App* subnet = app_.add_subcommand("subnet", "the file");
    subnet->add_subcommand("show", "what it says")->add_option("FILE", text_, "it")->required();
    app_.add_subcommand("hidden", "nobody's")->group("");
    words_ = words_of(app_);
  }

  CLI::App app_;
  bool json_ = false;
  std::string text_ = "-";
  std::vector<std::string> texts_;
  std::vector<VerbWords> words_;
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
  const OptionWords& output = words_[2].options.back();
  EXPECT_THAT(output.names, ElementsAre("-o", "--output"));
  EXPECT_EQ(output.preset, "-");
  EXPECT_TRUE(output.takes_value && output.is_file());
  ASSERT_EQ(words_[2].things.size(), 1U);
  EXPECT_TRUE(words_[2].things[0].required && words_[2].things[0].many);
  EXPECT_FALSE(words_[0].options.back().takes_value);
}

TEST_F(Manual, APageForMan) {
  const std::string page = man_page(words_);
  EXPECT_THAT(page, AllOf(HasSubstr(".SS \\fBgc\\fR \\fIPOD\\fR...\nremoves\n"),
                          HasSubstr(".TP\n\\fB\\-\\-state\\fR \\fBlive\\fR|\\fBgone\\fR\nof this state: one\n"),
                          HasSubstr(".SS \\fBsubnet show\\fR \\fIFILE\\fR\n"),
                          HasSubstr("where it goes (without it: \\-)\n"), Not(HasSubstr("hidden"))));
}

TEST_F(Manual, FishIsToldOfVerbsAndValues) {
  const std::string script = fish_completion(words_);
  EXPECT_THAT(script,
              AllOf(HasSubstr("complete -c cnioctl -n '__fish_use_subcommand' -a ipam -d 'host-local\\'s addresses'\n"),
                    HasSubstr(" -l state -x -a 'live gone' -d 'of this state: one'\n"),
                    HasSubstr(" -s o -l output -r -F -d 'where it goes'\n")));
}

TEST_F(Manual, ZshIsToldOfVerbsAndValues) {
  const std::string script = zsh_completion(words_);
  EXPECT_THAT(script, AllOf(HasSubstr("#compdef cnioctl\n"), HasSubstr("'ipam:host-local'\\''s addresses'"),
                            HasSubstr("'ipam:--state') _cnioctl_values 'live gone'; return ;;"),
                            HasSubstr("'--state:of this state\\: one'")));
}

}  // namespace
}  // namespace cnio::cnioctl
