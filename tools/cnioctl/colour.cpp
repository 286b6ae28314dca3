// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/colour.hpp"

#include <array>
#include <unistd.h>

#include "cnio/protocol/request.hpp"

namespace cnio::cnioctl {
namespace {

// ECMA-48, 8.3.117 (SGR).
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kCyan = "\x1b[36m";
constexpr std::string_view kPlain = "\x1b[0m";

struct Word {
  std::string_view text;
  std::string_view colour;
};
// At the beginning of a line, with or without an indent.
constexpr std::array<Word, 7> kFirst = {{{"ok ", kGreen},
                                         {"WRONG ", kRed},
                                         {"stale ", kYellow},
                                         {"note ", kCyan},
                                         {"+ ", kGreen},
                                         {"- ", kRed},
                                         {"~ ", kYellow}}};
// Anywhere; the first of them.
constexpr std::array<Word, 7> kInside = {{{": error: ", kRed},
                                          {": warning: ", kYellow},
                                          {": note: ", kCyan},
                                          {": ok: ", kGreen},
                                          {"  ! ", kRed},
                                          {"  gone", kYellow},
                                          {"  rebooted", kYellow}}};

// `line` with `size` bytes from `at` on in colour.
std::string painted(std::string_view line, size_t at, const Word& word) {
  std::string out(line.substr(0, at));
  out += word.colour;
  out += word.text;
  out += kPlain;
  out += line.substr(at + word.text.size());
  return out;
}

std::string painted(std::string_view line) {
  const size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return std::string(line);
  for (const Word& each : kFirst) {
    if (line.substr(begin).starts_with(each.text)) return painted(line, begin, each);
  }
  for (const Word& each : kInside) {
    const size_t at = line.find(each.text);
    if (at != std::string_view::npos) return painted(line, at, each);
  }
  return std::string(line);
}

}  // namespace

bool wants_colour(std::string_view when) {
  if (when != "auto") return when == "always";
  const auto environment = protocol::Environment::of_process();
  const std::string terminal = environment.get("TERM");
  const bool dumb = terminal.empty() || terminal == "dumb";
  return isatty(STDOUT_FILENO) == 1 && !dumb && environment.get("NO_COLOR").empty();
}

std::string coloured(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out += painted(text.substr(0, end));
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace cnio::cnioctl
