// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/command_line/split.hpp"

#include <algorithm>
#include <argp.h>
#include <cerrno>

namespace cnio::cnioctl {
namespace {

constexpr int kFirstKey = 0x100;  // beyond the letters, each of which is its own key
// Ends argp_parse. To set argp_state.next behind the last word instead has getopt read behind that, in -hh.
constexpr error_t kEnough = ECANCELED;

int key_of(const std::vector<const Option*>& options, size_t index) {
  const char letter = options[index]->letter;
  return letter != 0 ? letter : kFirstKey + static_cast<int>(index);
}

// What argp is told, and tells.
struct Reading {
  const std::vector<const Option*>& options;
  bool first_thing = false;
  Split out = {};
  size_t word = 1;  // the one that comes next; argp counts the program's name
};

const Option* find_option(const Reading& reading, int key) {
  for (size_t i = 0; i < reading.options.size(); ++i) {
    if (key_of(reading.options, i) == key) return reading.options[i];
  }
  return nullptr;
}

error_t hear(int key, char* text, argp_state* state) {  // NOLINT(readability-non-const-parameter): argp's type
  auto& reading = *static_cast<Reading*>(state->input);
  const bool is_thing = key == ARGP_KEY_ARG;
  const Option* option = is_thing ? nullptr : find_option(reading, key);
  if (!is_thing && option == nullptr) return ARGP_ERR_UNKNOWN;  // that it begins, and the like
  const size_t word = is_thing ? static_cast<size_t>(state->next) - 1 : reading.word;
  reading.out.said.push_back({option, state->argv[word], text == nullptr ? "" : text});
  reading.word = static_cast<size_t>(state->next);
  return (is_thing ? reading.first_thing : option->ends) ? kEnough : 0;
}

std::vector<argp_option> options_for_argp(const std::vector<const Option*>& options) {
  std::vector<argp_option> out;
  for (size_t i = 0; i < options.size(); ++i) {
    const Option& each = *options[i];
    if (each.is_thing()) continue;
    out.push_back({each.name, key_of(options, i), each.takes_value() ? each.value : nullptr, 0, nullptr, 0});
  }
  out.push_back({});
  return out;
}

}  // namespace

Split split(const std::vector<const Option*>& options, std::span<const std::string> words, bool first_thing) {
  std::vector<std::string> kept = {"cnioctl"};
  kept.insert(kept.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& each : kept) argv.push_back(each.data());
  argv.push_back(nullptr);

  const std::vector<argp_option> known = options_for_argp(options);
  const argp parser = {known.data(), hear, nullptr, nullptr, nullptr, nullptr, nullptr};
  Reading reading{options, first_thing};
  // It prints nothing by itself, and does not exit.
  constexpr unsigned kFlags = ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT | ARGP_IN_ORDER;
  const error_t error = argp_parse(&parser, static_cast<int>(kept.size()), argv.data(), kFlags, nullptr, &reading);
  reading.out.next = reading.word - 1;
  reading.out.is_bad = error != 0 && error != kEnough;
  if (reading.out.is_bad) reading.out.bad = kept[std::min(reading.word, kept.size() - 1)];
  return std::move(reading.out);
}

}  // namespace cnio::cnioctl
