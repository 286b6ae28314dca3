// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What is typed behind `cnioctl`: what it comes to, and what is said of what cannot be.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/cli.hpp"
#include "cnioctl/command_line/help.hpp"
#include "cnioctl/command_line/line.hpp"
#include "cnioctl/command_line/parse.hpp"

namespace cnio::cnioctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Words = std::vector<std::string>;

class CommandLineTest : public ::testing::Test {
 protected:
  // Into line_, which is new each time.
  Parsed said(const Words& words) {
    line_ = Line();
    return parse(all_, words, line_);
  }
  // Which verb it comes to; or what is wrong.
  std::string verb(const Words& words) {
    const Parsed parsed = said(words);
    return !parsed.wrong.empty() ? parsed.wrong : parsed.verb == nullptr ? "" : parsed.verb->path;
  }
  static Outcome run(const Words& words) {
    std::vector<const char*> argv = {"cnioctl"};
    for (const std::string& each : words) argv.push_back(each.c_str());
    return cnioctl::run(static_cast<int>(argv.size()), argv.data());
  }

  const CommandLine all_ = command_line();
  Line line_ = {};
};

TEST_F(CommandLineTest, VerbsAndTheirOwn) {
  EXPECT_EQ(verb({"status"}), "status");
  EXPECT_EQ(verb({"subnet", "check", "F"}), "subnet check");
  EXPECT_EQ(verb({"explain", "add", "F"}), "explain add");
  EXPECT_EQ(verb({"man-page"}), "man-page");
}

TEST_F(CommandLineTest, TheProgramsOptionsAreBeforeAndBehind) {
  for (const Words& words : std::vector<Words>{{"--json", "--color", "never", "subnet", "show", "F"},
                                               {"subnet", "--color=never", "show", "--json", "F"},
                                               {"subnet", "show", "F", "--color", "never", "--json"},
                                               {"--json", "subnet", "--json", "show", "F", "--color=never"}}) {
    EXPECT_EQ(verb(words), "subnet show");
    EXPECT_TRUE(line_.json);
    EXPECT_EQ(line_.colour, "never");
    EXPECT_EQ(line_.subnet.file, "F");
  }
}

TEST_F(CommandLineTest, AValueIsTheNextWordOrInTheSame) {
  for (const Words& words : std::vector<Words>{
           {"metrics", "-o", "F"}, {"metrics", "-oF"}, {"metrics", "--output", "F"}, {"metrics", "--output=F"}}) {
    EXPECT_EQ(verb(words), "metrics");
    EXPECT_EQ(line_.look.file, "F");
  }
  EXPECT_EQ(verb({"metrics", "-o", "--json"}), "metrics");
  EXPECT_EQ(line_.look.file, "--json");
  EXPECT_FALSE(line_.json);
}

TEST_F(CommandLineTest, WithoutAnyOptionThePresetsHold) {
  EXPECT_EQ(verb({"subnet", "check", "F"}), "subnet check");
  EXPECT_EQ(line_.subnet.pods, kKubeletPods);
  EXPECT_EQ(line_.subnet.overlay, "none");
  EXPECT_EQ(line_.places.conf_dir, "/etc/cni/net.d");
}

TEST_F(CommandLineTest, OftenAndByCommas) {
  verb({"pods", "--network", "a", "--network=b,c"});
  EXPECT_THAT(line_.places.networks, ElementsAre("a", "b,c")) << "networks' names may have commas";
  verb({"subnet", "write", "F", "--cluster", "a,b", "--cluster=c", "--subnet", ",d,,e,"});
  EXPECT_THAT(line_.subnet.cluster, ElementsAre("a", "b", "c"));
  EXPECT_THAT(line_.subnet.subnets, ElementsAre("d", "e"));
  verb({"subnet", "write", "F", "--cluster", ",", "--subnet", ""});
  EXPECT_THAT(line_.subnet.cluster, ElementsAre("")) << "which is no subnet";
  EXPECT_THAT(line_.subnet.subnets, ElementsAre(""));
}

TEST_F(CommandLineTest, ThingsInTheirOrder) {
  verb({"diff", "a", "--json", "b"});
  EXPECT_EQ(line_.exports.before + line_.exports.after, "ab");
  verb({"check", "a", "--bin", "/x", "b", "-", ""});
  EXPECT_THAT(line_.look.check.pods, ElementsAre("a", "b", "-", ""));
  verb({"check", "a", "--", "--bin", "--", "-o"});
  EXPECT_THAT(line_.look.check.pods, ElementsAre("a", "--bin", "--", "-o"));
}

TEST_F(CommandLineTest, HelpIsOfTheVerbWhateverElseIsSaid) {
  for (const Words& words : std::vector<Words>{{"gc", "--help"},
                                               {"gc", "-h"},
                                               {"gc", "--dry-run", "--apply", "x", "-h", "--bogus"},
                                               {"gc", "-hx"},
                                               {"gc", "-hh"},
                                               {"--help", "gc"},
                                               {"--help", "gc", "x"}}) {
    EXPECT_EQ(verb(words), "gc");
    EXPECT_TRUE(line_.help);
  }
  EXPECT_EQ(verb({"--help", "subnet", "check"}), "subnet check");
  EXPECT_EQ(verb({"subnet", "--help", "check"}), "subnet check");
  EXPECT_EQ(verb({"-h"}), "");
}

struct Wrong {
  Words words;
  std::string why;
};

TEST_F(CommandLineTest, WhatCannotBe) {
  for (const Wrong& each : std::vector<Wrong>{
           {{}, "a verb is missing"},
           {{"--"}, "a verb is missing"},
           {{"--json", "subnet"}, "a verb is missing"},
           {{""}, "there is no verb \"\""},
           {{"stauts"}, "there is no verb \"stauts\"; did you mean status?"},
           {{"xyz"}, "there is no verb \"xyz\""},
           {{"subnet check", "F"}, "there is no verb \"subnet check\""},
           {{"subnet", "shov"}, "subnet has no verb \"shov\"; did you mean show?"},
           {{"subnet", ""}, "subnet has no verb \"\""},
           {{"man"}, "there is no verb \"man\""},
           {{"status", "x"}, "\"x\" is one word too many"},
           {{"diff", "a", "b", "c"}, "\"c\" is one word too many"},
           {{"status", "--", "--json"}, "\"--json\" is one word too many"},
           {{"--all", "pods"}, "there is no option \"--all\""},
           {{"status", "--all"}, "there is no option \"--all\""},
           {{"gc", "--dryrun"}, "there is no option \"--dryrun\"; did you mean --dry-run?"},
           {{"gc", "--dry"}, "there is no option \"--dry\"; did you mean --dry-run?"},
           {{"status", "--netwrok=x"}, "there is no option \"--netwrok\"; did you mean --network?"},
           {{"status", "--jso"}, "there is no option \"--jso\"; did you mean --json?"},
           {{"status", "-x"}, "there is no option \"-x\""},
           {{"status", "--=x"}, "there is no option \"--\""},
           {{"status", "---json"}, "there is no option \"---json\"; did you mean --json?"},
           {{"metrics", "-o"}, "-o wants a value"},
           {{"metrics", "--output"}, "--output wants a value"},
           {{"status", "--json=1"}, "--json takes no value"},
           {{"status", "--json="}, "--json takes no value"},
           {{"metrics", "-o", "a", "--output", "b"}, "--output is there twice"},
           {{"subnet", "check", "F", "--pods", "1", "--pods", "1"}, "--pods is there twice"},
           {{"ipam", "--state", "LIVE"},
            "--state: \"LIVE\" is not one of live, rebooted, gone, unknown, foreign, stale; did you mean live?"},
           {{"ipam", "--state="}, "--state: \"\" is not one of live, rebooted, gone, unknown, foreign, stale"},
           {{"ipam", "--state", "live|gone"},
            "--state: \"live|gone\" is not one of live, rebooted, gone, unknown, foreign, stale"},
           {{"completion", "csh"}, "SHELL: \"csh\" is not one of bash, zsh, fish; did you mean zsh?"},
           {{"completion"}, "SHELL is missing"},
           {{"lint"}, "PLACE is missing"},
           {{"subnet", "write", "F", "--subnet", "x"}, "--cluster is missing"},
           {{"subnet", "write", "F", "--cluster", "x"}, "--subnet or --node is missing"},
           {{"subnet", "write", "F", "--cluster", "x", "--node", "y", "--subnet", "z"},
            "--subnet and --node exclude each other"},
           {{"gc"}, "--dry-run or --apply is missing"},
           {{"gc", "--apply", "x", "--dry-run"}, "--dry-run and --apply exclude each other"},
           {{"bundle"}, "--output or --dry-run is missing"},
           {{"resync", "--watch", "--dry-run"}, "--dry-run and --watch exclude each other"}}) {
    EXPECT_EQ(verb(each.words), each.why) << ::testing::PrintToString(each.words);
  }
}

TEST_F(CommandLineTest, ANumberIsOne) {
  for (const std::string text : {"", "x", "-1", "+1", " 1", "1 ", "1x", "0x10", "1e3", "18446744073709551616"}) {
    EXPECT_THAT(verb({"subnet", "check", "F", "--pods", text}),
                StartsWith("--pods: \"" + text + "\" is no whole number"));
  }
  EXPECT_EQ(verb({"subnet", "check", "F", "--pods", "18446744073709551615"}), "subnet check");
  EXPECT_EQ(line_.subnet.pods, UINT64_MAX);
}

TEST_F(CommandLineTest, WhoIsWrongIsToldHowItCanBe) {
  const Outcome outcome = run({"gc", "--bogus"});
  EXPECT_EQ(outcome.exit, Exit::kUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err,
            "cnioctl: there is no option \"--bogus\"\n"
            "usage: cnioctl gc (--dry-run | --apply FILE) [options]\n"
            "cnioctl gc --help says more\n");
  EXPECT_EQ(run({"help", "gcc"}).exit, Exit::kUsage);
  EXPECT_EQ(run({}).exit, Exit::kUsage);
}

// Also no letters that turn the direction of writing, nor what is no UTF-8.
TEST_F(CommandLineTest, NothingThatWasTypedDrivesATerminal) {
  const std::string evil = "\x1b[2J\n\r\x07\x9b\xff\xe2\x80\xae";
  for (const Words& words : std::vector<Words>{{evil},
                                               {"subnet", evil},
                                               {"help", evil},
                                               {"status", evil},
                                               {"status", "--" + evil},
                                               {"status", "--json" + evil},
                                               {"status", "-" + evil},
                                               {"--" + evil + "=x", "status"},
                                               {"ipam", "--state", evil},
                                               {"ipam", "--state=" + evil},
                                               {"completion", evil},
                                               {"subnet", "check", "F", "--pods", evil}}) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit, Exit::kUsage);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(R"(\x1b)"));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 3) << outcome.err;
    std::string seen = outcome.err;
    std::erase(seen, '\n');
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) << seen;
  }
}

TEST_F(CommandLineTest, LongAndManyWordsAreNothingSpecial) {
  EXPECT_THAT(verb({std::string(1 << 20, 'a')}), AllOf(HasSubstr("aaa..."), Not(HasSubstr("did you mean"))));
  EXPECT_THAT(verb({"status", "--" + std::string(1 << 20, 'a')}), SizeIs(::testing::Lt(300U)));
  Words many = {"check"};
  many.resize(1 << 16, "pod");
  EXPECT_EQ(verb(many), "check");
  EXPECT_THAT(line_.look.check.pods, SizeIs(many.size() - 1));
}

// As execve(2) allows it.
TEST_F(CommandLineTest, ThereNeedBeNoName) {
  const char* none = nullptr;
  EXPECT_EQ(cnioctl::run(0, &none).exit, Exit::kUsage);
}

TEST_F(CommandLineTest, HelpNamesWhatThereIs) {
  const std::string program = run({"--help"}).out;
  for (const Verb& each : all_.verbs) {
    const std::string help = help_text(all_, &each);
    EXPECT_THAT(help, StartsWith("usage: cnioctl " + std::string(each.path)));
    for (const Option* option : options_of(all_, &each)) EXPECT_THAT(help, HasSubstr(" " + option->text()));
    const bool named = program.find("\n  " + std::string(each.path) + " ") != std::string::npos;
    EXPECT_EQ(named, each.above().empty() && !each.hidden) << each.path;
  }
  EXPECT_THAT(program, Not(HasSubstr("man-page")));
  EXPECT_EQ(run({"help", "subnet", "write"}).out, run({"subnet", "write", "--help"}).out);
  EXPECT_EQ(run({"help"}).out, program);
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
}

TEST_F(CommandLineTest, HelpSaysWhatIsMeantAndPreset) {
  EXPECT_THAT(
      run({"help", "subnet", "write"}).out,
      AllOf(StartsWith("usage: cnioctl subnet write FILE --cluster CIDR,... (--subnet CIDR,... | --node FILE) "
                       "[options]\n"),
            HasSubstr("\n      --overlay none|vxlan|wireguard\n                          what carries packets to "
                      "other nodes (without it: none)\n"),
            HasSubstr("\n      --pods N            for how many a subnet has to have room (without it:\n"
                      "                          110)\n")));
  EXPECT_THAT(run({"help", "lint"}).out, StartsWith("usage: cnioctl lint PLACE... [options]\n"));
  EXPECT_THAT(run({"help", "why"}).out, StartsWith("usage: cnioctl why [THING] [options]\n"));
  EXPECT_THAT(run({"help", "metrics"}).out, HasSubstr("\n  -o, --output FILE       a file"));
}

// A row of the table that nobody could get at, or that says nothing.
TEST_F(CommandLineTest, EveryRowIsWhole) {
  for (const Verb& verb : all_.verbs) {
    EXPECT_NE(std::string(verb.about), "") << verb.path;
    EXPECT_EQ(verb.run == nullptr, !verbs_below(all_, &verb).empty()) << verb.path;
    EXPECT_TRUE(verb.above().empty() || find_verb(all_, verb.above()) != nullptr) << verb.path;
    std::vector<const Option*> options = options_of(all_, &verb);
    const auto common = options_of(all_, nullptr);
    options.insert(options.end(), common.begin(), common.end());
    std::vector<std::string> names;
    for (const Option* each : options) {
      EXPECT_TRUE(each->to.put != nullptr && each->to.preset != nullptr) << each->text();
      EXPECT_NE(std::string(each->about), "") << each->text();
      EXPECT_TRUE(each->is_thing() || each->takes_value() == (*each->value != '\0')) << each->text();
      EXPECT_TRUE(!each->commas || each->to.kind == Kind::kTexts) << each->text();
      names.push_back(each->text());
      if (each->letter != 0) names.push_back(std::string(1, each->letter));
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << verb.path;
  }
}

}  // namespace
}  // namespace cnio::cnioctl
