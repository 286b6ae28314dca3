// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli.hpp"

#include "cnioctl/cli_act.hpp"
#include "cnioctl/cli_manual.hpp"
#include "cnioctl/cli_subnet.hpp"
#include "cnioctl/colour.hpp"
#include "cnioctl/command_line/field.hpp"
#include "cnioctl/command_line/help.hpp"
#include "cnioctl/command_line/parse.hpp"

namespace cnio::cnioctl {
namespace {

constexpr Option kOptions[] = {
    {.letter = 'h', .name = "help", .about = "prints this", .ends = true, .to = field<&Line::help>()},
    {.name = "version", .about = "prints it", .ends = true, .to = field<&Line::version>()},
    {.name = "json", .about = "one object for programs, in place of text for people", .to = field<&Line::json>()},
    {.name = "color",
     .value = "WHEN",
     .choices = "auto|always|never",
     .about = "for people at a terminal",
     .to = field<&Line::colour>()}};

}  // namespace

CommandLine command_line() {
  CommandLine out{"looks at a node's pod network; see docs/cnioctl.md", kOptions, {}};
  for (const auto& verbs : {look_verbs(), export_verbs(), subnet_verbs(), act_verbs(), manual_verbs()}) {
    out.verbs.insert(out.verbs.end(), verbs.begin(), verbs.end());
  }
  return out;
}

Outcome run(int argc, const char* const* argv) {
  Line line;
  const CommandLine all = command_line();
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const Parsed parsed = parse(all, words, line);
  if (!parsed.wrong.empty()) return usage(all, parsed.verb, parsed.wrong);
  if (line.help) return {Exit::kWell, help_text(all, parsed.verb)};
  const Verb* verb = line.version ? find_verb(all, "version") : parsed.verb;
  Outcome outcome = verb->run(line);
  if (!line.json && verb->colours && wants_colour(line.colour)) outcome.out = coloured(outcome.out);
  return outcome;
}

}  // namespace cnio::cnioctl
