// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/command_line/parse.hpp"

#include <algorithm>

#include "cnio/base/error.hpp"

#include "cnioctl/command_line/complaint.hpp"
#include "cnioctl/command_line/split.hpp"
#include "cnioctl/texts.hpp"

namespace cnio::cnioctl {
namespace {

// "a,b"; scripts that make such a list leave commas between them or at its end.
std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> out = split_at(list, ',');
  std::erase(out, "");
  if (out.empty()) out.emplace_back();
  return out;
}

// A verb is looked for with the options of those above it, and what is behind it is read with its own.
class Parser {
 public:
  Parser(const CommandLine& all, std::span<const std::string> words, Line& line)
      : all_(all), words_(words), line_(line) {}

  Parsed run() {
    while (step()) {
    }
    return std::move(out_);
  }

 private:
  // One verb further; false: that is all.
  bool step() {
    const bool leads = out_.verb == nullptr || out_.verb->run == nullptr;
    const std::vector<const Option*> options = options_here();
    const Split part = split(options, words_, leads);
    words_ = words_.subspan(part.next);
    for (const Said& each : part.said) {
      if (leads && each.option == nullptr) return go_to(each.value);
      out_.wrong = each.option == nullptr ? take_thing(options, each.value) : take_option(options, each);
      if (out_.ended) go_on_to_verbs();
      if (!out_.wrong.empty() || out_.ended) return false;
    }
    if (part.is_bad) out_.wrong = bad_option(options, part.bad);
    if (out_.wrong.empty()) out_.wrong = leads ? "a verb is missing" : unmet_need(options, given_);
    return false;
  }

  // "--help gc" is of gc.
  void go_on_to_verbs() {
    for (const std::string& word : words_) {
      const Verb* next = next_verb(all_, out_.verb, word);
      if (next == nullptr) return;
      out_.verb = next;
    }
  }

  bool go_to(const std::string& word) {
    const Verb* next = next_verb(all_, out_.verb, word);
    if (next == nullptr) {
      out_.wrong = no_such_verb(all_, out_.verb, word);
    } else {
      out_.verb = next;
    }
    return next != nullptr;
  }

  // Those of the verb, and of the program.
  [[nodiscard]] std::vector<const Option*> options_here() const {
    std::vector<const Option*> out = options_of(all_, out_.verb);
    if (out_.verb == nullptr) return out;
    const auto common = options_of(all_, nullptr);
    out.insert(out.end(), common.begin(), common.end());
    return out;
  }

  std::string take_option(const std::vector<const Option*>& options, const Said& said) {
    const Option& option = *said.option;
    // getopt takes the beginning of a name for it. Who writes that into a script is surprised by the next option.
    const std::string name = option.text();
    const bool is_whole = !said.word.starts_with("--") || said.word == name || said.word.starts_with(name + "=");
    if (!is_whole) return bad_option(options, said.word);
    const bool again = std::find(given_.begin(), given_.end(), &option) != given_.end();
    if (again && (option.to.kind == Kind::kText || option.to.kind == Kind::kNumber)) return name + " is there twice";
    out_.ended = option.ends;
    return put(option, said.value);
  }

  std::string take_thing(const std::vector<const Option*>& options, const std::string& value) {
    for (const Option* each : options) {
      if (!each->is_thing()) continue;
      const bool has_room = each->to.kind == Kind::kTexts;
      if (has_room || std::find(given_.begin(), given_.end(), each) == given_.end()) return put(*each, value);
    }
    return quote(value) + " is one word too many";
  }

  std::string put(const Option& option, const std::string& value) {
    given_.push_back(&option);
    const auto choices = option.choices_list();
    for (const std::string& each : option.commas ? parts_of(value) : std::vector<std::string>{value}) {
      if (!choices.empty() && std::find(choices.begin(), choices.end(), each) == choices.end()) {
        return not_a_choice(option, each);
      }
      if (!option.to.put(line_, each)) return option.text() + ": " + quote(each) + " is no whole number, or too great";
    }
    return {};
  }

  const CommandLine& all_;
  std::span<const std::string> words_;
  Line& line_;
  Parsed out_ = {};
  std::vector<const Option*> given_ = {};
};

}  // namespace

Parsed parse(const CommandLine& all, std::span<const std::string> words, Line& line) {
  return Parser(all, words, line).run();
}

}  // namespace cnio::cnioctl
