// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/command_line/complaint.hpp"

#include <algorithm>

#include "cnio/base/error.hpp"

#include "cnioctl/nearest.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kDashes = 2;

std::string meant(const std::string& found) {
  return found.empty() ? found : std::string("; did you mean ").append(found).append("?");
}

// "--output" of "--output=x", "-o" of "-ox".
std::string name_in(const std::string& word) {
  return word.starts_with("--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
}

bool has_name(const Option& option, const std::string& name) {
  if (option.is_thing()) return false;
  return name == option.text() || (option.letter != 0 && name == std::string("-") + option.letter);
}

std::string listed(const std::vector<const Option*>& options, const std::string& last) {
  std::string out;
  for (size_t i = 0; i < options.size(); ++i) {
    if (i != 0) out += i + 1 == options.size() ? last : std::string(", ");
    out += options[i]->text();
  }
  return out;
}

std::vector<const Option*> of_need(const std::vector<const Option*>& options, Need need) {
  std::vector<const Option*> out;
  std::copy_if(options.begin(), options.end(), std::back_inserter(out),
               [&](const Option* each) { return each->need == need; });
  return out;
}

}  // namespace

std::string no_such_verb(const CommandLine& all, const Verb* above, const std::string& word) {
  Nearest nearest(word);
  for (const Verb* each : verbs_below(all, above)) nearest.offer(each->name());
  const std::string where = above == nullptr ? "there is" : std::string(above->path).append(" has");
  return where + " no verb " + quote(word) + meant(nearest.found());
}

std::string bad_option(const std::vector<const Option*>& options, const std::string& word) {
  const std::string name = name_in(word);
  Nearest nearest(name);
  std::string longer;  // that begins so
  for (const Option* each : options) {
    if (each->is_thing()) continue;
    const std::string text = each->text();
    if (has_name(*each, name)) return name + (each->takes_value() ? " wants a value" : " takes no value");
    nearest.offer(text);
    if (name.size() > kDashes && text.starts_with(name)) longer = text;
  }
  return std::string("there is no option ").append(quote(name)) + meant(longer.empty() ? nearest.found() : longer);
}

std::string not_a_choice(const Option& option, const std::string& value) {
  const std::vector<std::string> choices = option.choices_list();
  Nearest nearest(value);
  std::string list;
  for (const std::string& each : choices) {
    nearest.offer(each);
    list += (list.empty() ? "" : ", ") + each;
  }
  return option.text() + ": " + quote(value) + " is not one of " + list + meant(nearest.found());
}

std::string unmet_need(const std::vector<const Option*>& options, const std::vector<const Option*>& given) {
  const auto is_given = [&](const Option* each) { return std::find(given.begin(), given.end(), each) != given.end(); };
  for (const Option* each : of_need(options, Need::kRequired)) {
    if (!is_given(each)) return each->text() + " is missing";
  }
  for (const Need need : {Need::kOneOf, Need::kAtMostOne}) {
    const auto group = of_need(options, need);
    const auto count = std::count_if(group.begin(), group.end(), is_given);
    if (count > 1) return listed(group, " and ") + " exclude each other";
    if (count == 0 && need == Need::kOneOf && !group.empty()) return listed(group, " or ") + " is missing";
  }
  return {};
}

}  // namespace cnio::cnioctl
