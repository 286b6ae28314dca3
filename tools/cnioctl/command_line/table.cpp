// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/command_line/table.hpp"

#include <algorithm>
#include <charconv>

#include "cnioctl/texts.hpp"

namespace cnio::cnioctl {

bool Option::is_file() const { return std::string_view(value) == kFile || std::string_view(value) == kFolder; }

std::string Option::text() const { return is_thing() ? std::string(name) : std::string("--").append(name); }

std::vector<std::string> Option::choices_list() const {
  return *choices == '\0' ? std::vector<std::string>() : split_at(choices, '|');
}

std::string_view Verb::name() const {
  const std::string_view all = path;
  return all.substr(all.rfind(' ') + 1);  // npos + 1 is 0
}

std::string_view Verb::above() const {
  const std::string_view all = path;
  const size_t end = all.rfind(' ');
  return end == std::string_view::npos ? std::string_view() : all.substr(0, end);
}

const Verb* find_verb(const CommandLine& all, std::string_view path) {
  const auto found =
      std::find_if(all.verbs.begin(), all.verbs.end(), [&](const Verb& each) { return path == each.path; });
  return found == all.verbs.end() ? nullptr : &*found;
}

const Verb* next_verb(const CommandLine& all, const Verb* above, std::string_view word) {
  const std::string_view before = above == nullptr ? "" : above->path;
  const auto is_next = [&](const Verb& each) { return each.above() == before && each.name() == word; };
  const auto found = std::find_if(all.verbs.begin(), all.verbs.end(), is_next);
  return found == all.verbs.end() ? nullptr : &*found;
}

std::vector<const Verb*> verbs_below(const CommandLine& all, const Verb* verb) {
  std::vector<const Verb*> out;
  for (const Verb& each : all.verbs) {
    if (!each.hidden && each.above() == std::string_view(verb == nullptr ? "" : verb->path)) out.push_back(&each);
  }
  return out;
}

std::vector<const Option*> options_of(const CommandLine& all, const Verb* verb) {
  std::vector<const Option*> out;
  const auto add = [&](std::span<const Option> options) {
    for (const Option& each : options) out.push_back(&each);
  };
  if (verb == nullptr) {
    add(all.options);
  } else {
    for (const auto& options : verb->options) add(options);
  }
  return out;
}

std::string name_of(const Verb* verb) {
  return verb == nullptr ? std::string("cnioctl") : std::string("cnioctl ").append(verb->path);
}

bool read_number(const std::string& text, uint64_t& to) {
  const char* end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, to);
  return error == std::errc() && behind == end;
}

}  // namespace cnio::cnioctl
