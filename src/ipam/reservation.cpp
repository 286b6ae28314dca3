// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/reservation.hpp"

#include <algorithm>

namespace cnio::ipam {
namespace {

constexpr std::string_view kLineBreak = "\r\n";
constexpr std::string_view kBlanks = " \t\n\v\f\r";

std::string_view trimmed(std::string_view text, std::string_view blanks = kBlanks) {
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

// No attachment has a name with blanks or control bytes in it, so content with them was written by someone else.
bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && static_cast<unsigned char>(c) != 0x7f;
  });
}

}  // namespace

bool Reservation::held_by(const protocol::Attachment& attachment) const {
  return state == State::kHeld && holder.container_id == attachment.container_id &&
         (holder.ifname.empty() || holder.ifname == attachment.ifname);
}

std::string Reservation::holder_text() const {
  switch (state) {
    case State::kTorn:
      return "nobody (the file is empty)";
    case State::kForeign:
      return "a file that names no attachment";
    case State::kHeld:
      break;
  }
  return holder.ifname.empty() ? holder.container_id : holder.text();
}

void parse_holder(std::string_view content, Reservation& out) {
  using namespace std::string_view_literals;
  const std::string_view text = trimmed(content);
  // A file system that comes back from a crash may show zeros where data never reached the disk.
  if (trimmed(text, "\0"sv).empty()) {
    out.state = Reservation::State::kTorn;
    return;
  }
  const size_t line_break = text.find(kLineBreak);
  const std::string_view id = text.substr(0, line_break);
  const bool old_format = line_break == std::string_view::npos;
  const std::string_view ifname = old_format ? "" : text.substr(line_break + kLineBreak.size());
  if (!is_word(id) || (!old_format && !is_word(ifname))) return;
  out.state = Reservation::State::kHeld;
  out.holder = {std::string(id), std::string(ifname)};
}

std::string format_holder(const protocol::Attachment& attachment) {
  return attachment.container_id + std::string(kLineBreak) + attachment.ifname;
}

}  // namespace cnio::ipam
