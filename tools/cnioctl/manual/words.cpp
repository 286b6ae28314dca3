// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/manual/words.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace cnio::cnioctl {
namespace {

// CLI11 has them in the type's name: "TEXT:{none,vxlan}".
std::vector<std::string> choices_of(const std::string& type) {
  const size_t from = type.find('{');
  const size_t to = type.find('}');
  if (from == std::string::npos || to == std::string::npos) return {};
  return CLI::detail::split(type.substr(from + 1, to - from - 1), ',');
}

OptionWords option_of(const CLI::Option& option) {
  OptionWords out;
  for (const std::string& each : option.get_snames()) out.names.push_back("-" + each);
  for (const std::string& each : option.get_lnames()) out.names.push_back("--" + each);
  if (out.names.empty()) out.names.push_back(option.get_name(true));
  out.about = option.get_description();
  out.choices = choices_of(option.get_type_name());
  out.preset = option.get_default_str();
  out.takes_value = option.get_items_expected_max() != 0;
  out.many = option.get_items_expected_max() > 1;
  out.required = option.get_required();
  return out;
}

std::vector<const CLI::App*> children_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// A group of options is a nameless child.
void add_options(const CLI::App& app, VerbWords& out) {
  for (const CLI::Option* each : app.get_options()) {
    const bool dashed = !each->get_snames().empty() || !each->get_lnames().empty();
    (dashed ? out.options : out.things).push_back(option_of(*each));
  }
  for (const CLI::App* child : children_of(app)) {
    if (child->get_name().empty()) add_options(*child, out);
  }
}

bool is_verb(const CLI::App& app) { return !app.get_name().empty() && !app.get_group().empty(); }

void add_words(const CLI::App& app, const std::vector<std::string>& path, std::vector<VerbWords>& out) {
  VerbWords words{path, app.get_description()};
  add_options(app, words);
  for (const CLI::App* child : children_of(app)) {
    if (is_verb(*child)) words.verbs.push_back(child->get_name());
  }
  out.push_back(std::move(words));
  for (const CLI::App* child : children_of(app)) {
    if (!is_verb(*child)) continue;
    std::vector<std::string> further = path;
    further.push_back(child->get_name());
    add_words(*child, further, out);
  }
}

}  // namespace

bool OptionWords::is_file() const {
  constexpr const char* kFiles[] = {"--output",   "--apply", "--valid",    "--data-dir", "--cache-dir",
                                    "--conf-dir", "--bin",   "--replaces", "--node",     "--with",
                                    "FILE",       "PLACE",   "A",          "B"};
  return std::any_of(std::begin(kFiles), std::end(kFiles),
                     [&](const char* file) { return std::find(names.begin(), names.end(), file) != names.end(); });
}

std::string VerbWords::name() const {
  std::string out;
  for (const std::string& each : path) out += (out.empty() ? "" : " ") + each;
  return out;
}

std::vector<VerbWords> words_of(const CLI::App& app) {
  std::vector<VerbWords> out;
  add_words(app, {}, out);
  return out;
}

}  // namespace cnio::cnioctl
