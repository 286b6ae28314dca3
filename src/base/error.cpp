// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/error.hpp"

#include <algorithm>
#include <cstring>

#include "cnio/base/error_list.hpp"

namespace cnio {

Error Error::make(Code code, std::string msg, std::string details) {
  return {code, std::move(msg), std::move(details), 0};
}

Error Error::sys(std::string_view operation, int errnum, Code code) {
  return {code, std::string(operation) + ": " + errno_text(errnum), {}, errnum};
}

Error Error::config(std::string_view key, std::string_view why) {
  return make(Code::kInvalidConfig, "invalid configuration: key " + quote(key) + ": " + std::string(why));
}

Error Error::context(std::string_view clause) && {
  msg_.insert(0, ": ").insert(0, clause);
  return std::move(*this);
}

Error Error::note(std::string_view text) && {
  msg_.append(" (").append(text).append(")");
  return std::move(*this);
}

Error Error::hint(std::string_view text) && {
  if (!details_.empty()) details_ += "; ";
  details_ += text;
  return std::move(*this);
}

Error Error::unavailable() && {
  code_ = Code::kNotAvailable;
  return std::move(*this);
}

std::string errno_text(int errnum) {
  const char* text = strerrordesc_np(errnum);
  return text != nullptr ? text : "error " + std::to_string(errnum);
}

namespace {

// May a terminal act on the byte? U+0080 to U+009F are such, too, which are two bytes in UTF-8.
bool is_control(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto begins_c1 = [&](size_t i) { return byte(i) == 0xc2 && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9f; };
  return byte(at) < 0x20 || byte(at) == 0x7f || begins_c1(at) || (at > 0 && begins_c1(at - 1));
}

// "\x0a" for a line feed.
void append_visibly(std::string& out, std::string_view text, size_t at) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(text[at]);
  if (is_control(text, at)) {
    out += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
  } else {
    out += text[at];
  }
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) append_visibly(out, text, i);
  return out;
}

std::string quote(std::string_view text, size_t limit) {
  std::string out = "\"";
  for (size_t i = 0; i < std::min(text.size(), limit); ++i) {
    if (text[i] == '"' || text[i] == '\\') out += '\\';
    append_visibly(out, text, i);
  }
  if (text.size() > limit) out += "...";
  return out + '"';
}

void ErrorList::collect(Status status) {
  if (!status.ok()) errors_.push_back(std::move(status).error());
}

Status ErrorList::status() const {
  if (errors_.empty()) return {};
  if (errors_.size() == 1) return errors_.front();
  std::string msg;
  std::string details;
  for (const Error& error : errors_) {
    if (!msg.empty()) msg += "; also: ";
    msg += error.msg();
    if (!details.empty() && !error.details().empty()) details += "; ";
    details += error.details();
  }
  return Error::make(errors_.front().code(), std::move(msg), std::move(details));
}

}  // namespace cnio
