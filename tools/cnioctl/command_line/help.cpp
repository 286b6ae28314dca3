// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/command_line/help.hpp"

#include "cnio/base/error.hpp"

#include "cnioctl/command_line/line.hpp"
#include "cnioctl/texts.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kColumn = 26;  // where it is said what something is

std::string value_of(const Option& option) { return *option.choices != '\0' ? option.choices : option.value; }

// "--output FILE"; "[POD...]".
std::string in_usage(const Option& option) {
  if (!option.is_thing())
    return option.takes_value() ? option.text().append(" ").append(value_of(option)) : option.text();
  const std::string name = option.text() + (option.to.kind == Kind::kTexts ? "..." : "");
  return option.need == Need::kRequired ? name : std::string("[").append(name).append("]");
}

// "  -o, --output FILE".
std::string in_list(const Option& option) {
  std::string out = "  ";
  if (option.is_thing()) return out + option.text();
  out += option.letter == 0 ? std::string("    ") : std::string("-") + option.letter + ", ";
  return out + in_usage(option);
}

// As many words as there is room for; behind `head` on its line, if that is not too long.
std::string entry(const std::string& head, const std::string& about) {
  std::string out;
  std::string line = head;
  if (head.size() + 2 > kColumn) {
    out = head + "\n";
    line.clear();
  }
  line.resize(kColumn, ' ');
  bool empty = true;
  for (const std::string& word : split_at(about, ' ')) {
    if (!empty && line.size() + 1 + word.size() > kWidth) {
      out += line + "\n";
      line.assign(kColumn, ' ');
      empty = true;
    }
    line += (empty ? "" : " ") + word;
    empty = false;
  }
  return out + line + "\n";
}

std::string list_of(const std::string& title, const std::vector<const Option*>& options, bool things) {
  const Line presets;
  std::string out;
  for (const Option* each : options) {
    if (each->is_thing() != things) continue;
    std::string about = each->about;
    const std::string preset = each->to.preset(presets);
    if (!preset.empty()) about.append(" (without it: ").append(preset).append(")");
    out += entry(in_list(*each), about);
  }
  return out.empty() ? out : std::string("\n").append(title).append(":\n").append(out);
}

std::string list_of(const std::vector<const Verb*>& verbs) {
  std::string out = "\nverbs:\n";
  for (const Verb* each : verbs) out += entry(std::string("  ").append(each->name()), each->about);
  return out;
}

// " (--dry-run | --apply FILE)".
std::string one_of(const std::vector<const Option*>& options) {
  std::string out;
  for (const Option* each : options) {
    if (each->need == Need::kOneOf) out += (out.empty() ? " (" : " | ") + in_usage(*each);
  }
  return out.empty() ? out : out + ")";
}

}  // namespace

std::string usage_line(const CommandLine& all, const Verb* verb) {
  std::string out = "usage: ";
  out += name_of(verb);
  if (verb == nullptr || verb->run == nullptr) return out + " VERB [options]\n";
  const auto options = options_of(all, verb);
  for (const bool things : {true, false}) {
    for (const Option* each : options) {
      const bool wanted = things || each->need == Need::kRequired;
      if (each->is_thing() == things && wanted) out.append(" ").append(in_usage(*each));
    }
  }
  return out + one_of(options) + " [options]\n";
}

Outcome usage(const CommandLine& all, const Verb* verb, const std::string& wrong) {
  Outcome out = failure(Error::make(Code::kInvalidEnvironment, wrong), Exit::kUsage);
  out.err += usage_line(all, verb);
  out.err.append(name_of(verb)).append(" --help says more\n");
  return out;
}

std::string help_text(const CommandLine& all, const Verb* verb) {
  std::string out = usage_line(all, verb);
  out.append(verb == nullptr ? all.about : verb->about).append("\n");
  const auto below = verbs_below(all, verb);
  if (!below.empty()) out += list_of(below);
  if (verb != nullptr) {
    const auto options = options_of(all, verb);
    out += list_of("arguments", options, true) + list_of("options", options, false);
  }
  return out + list_of(verb == nullptr ? "options" : "options of every verb", options_of(all, nullptr), false);
}

}  // namespace cnio::cnioctl
