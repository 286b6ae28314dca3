// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/manual/words.hpp"

#include "cnioctl/command_line/line.hpp"
#include "cnioctl/texts.hpp"

namespace cnio::cnioctl {
namespace {

std::vector<std::string> choices_of(const CommandLine& all, const Option& option) {
  std::vector<std::string> out = option.choices_list();
  if (std::string_view(option.value) != kVerbName) return out;
  for (const Verb* each : verbs_below(all, nullptr)) out.emplace_back(each->name());
  return out;
}

OptionWords option_of(const CommandLine& all, const Option& option) {
  OptionWords out;
  if (option.letter != 0) out.names.push_back(std::string("-") + option.letter);
  out.names.push_back(option.text());
  out.about = option.about;
  out.value = option.value;
  out.choices = choices_of(all, option);
  out.preset = option.to.preset(Line());
  out.takes_value = option.takes_value();
  out.is_file = option.is_file();
  out.many = option.to.kind == Kind::kTexts;
  out.required = option.need == Need::kRequired;
  return out;
}

VerbWords verb_of(const CommandLine& all, const Verb* verb) {
  VerbWords out;
  if (verb != nullptr) out.path = split_at(verb->path, ' ');
  out.about = verb == nullptr ? all.about : verb->about;
  for (const Option* each : options_of(all, verb)) {
    (each->is_thing() ? out.things : out.options).push_back(option_of(all, *each));
  }
  for (const Verb* each : verbs_below(all, verb)) out.verbs.emplace_back(each->name());
  return out;
}

}  // namespace

std::string VerbWords::name() const {
  std::string out;
  for (const std::string& each : path) out += (out.empty() ? "" : " ") + each;
  return out;
}

std::vector<VerbWords> words_of(const CommandLine& all) {
  std::vector<VerbWords> out = {verb_of(all, nullptr)};
  for (const Verb& each : all.verbs) {
    if (!each.hidden) out.push_back(verb_of(all, &each));
  }
  return out;
}

}  // namespace cnio::cnioctl
