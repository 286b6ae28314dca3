// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_manual.hpp"

#include "cnioctl/cli.hpp"
#include "cnioctl/command_line/complaint.hpp"
#include "cnioctl/command_line/field.hpp"
#include "cnioctl/command_line/help.hpp"
#include "cnioctl/manual/completion.hpp"
#include "cnioctl/manual/man_page.hpp"

namespace cnio::cnioctl {
namespace {

constexpr Option kHelp[] = {
    {.name = "VERB", .value = kVerbName, .about = "which; none: the program", .to = field<&Line::help_for>()}};

constexpr Option kCompletion[] = {{.name = "SHELL",
                                   .choices = "bash|zsh|fish",
                                   .about = "which",
                                   .need = Need::kRequired,
                                   .to = field<&Line::shell>()}};

Outcome run_version(Line& /*line*/) { return {Exit::kWell, "cnioctl v" CNIO_VERSION "\n"}; }

Outcome run_help(Line& line) {
  const CommandLine all = command_line();
  const Verb* verb = nullptr;
  for (const std::string& word : line.help_for) {
    const Verb* next = next_verb(all, verb, word);
    if (next == nullptr) return usage(all, verb, no_such_verb(all, verb, word));
    verb = next;
  }
  return {Exit::kWell, help_text(all, verb)};
}

Outcome run_completion(Line& line) {
  const auto verbs = words_of(command_line());
  if (line.shell == "bash") return {Exit::kWell, bash_completion(verbs)};
  return {Exit::kWell, line.shell == "zsh" ? zsh_completion(verbs) : fish_completion(verbs)};
}

Outcome run_man_page(Line& /*line*/) { return {Exit::kWell, man_page(words_of(command_line()))}; }

constexpr Verb kManualVerbs[] = {
    {"version", "prints it", {}, run_version},
    {"help", "what a verb does and takes, as --help of it", {kHelp}, run_help},
    {"completion", "a script that completes what is typed in a shell", {kCompletion}, run_completion},
    {"man-page", "cnioctl(8)", {}, run_man_page, false, true},
};

}  // namespace

std::span<const Verb> manual_verbs() { return kManualVerbs; }

}  // namespace cnio::cnioctl
