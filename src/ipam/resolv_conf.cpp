// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/resolv_conf.hpp"

#include <algorithm>
#include <vector>

#include "cnio/base/unique_fd.hpp"

namespace cnio::ipam {
namespace {

constexpr size_t kMaxLine = size_t{64} * 1024;
constexpr size_t kMaxFile = size_t{1024} * 1024;
constexpr std::string_view kBlanksInLine = " \t\r\v\f";

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (size_t begin = line.find_first_not_of(kBlanksInLine); begin != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlanksInLine, begin), line.size());
    words.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanksInLine, end);
  }
  return words;
}

void take_line(protocol::Dns& dns, std::string_view line) {
  const std::vector<std::string> words = words_of(line);
  if (words.size() < 2 || words[0].front() == '#' || words[0].front() == ';') return;
  const auto values = words.begin() + 1;
  if (words[0] == "nameserver") {
    dns.nameservers.push_back(*values);
  } else if (words[0] == "domain") {
    dns.domain = *values;
  } else if (words[0] == "search") {
    dns.search.insert(dns.search.end(), values, words.end());
  } else if (words[0] == "options") {
    dns.options.insert(dns.options.end(), values, words.end());
  }
}

}  // namespace

Result<protocol::Dns> parse_resolv_conf(std::string_view text, const std::string& shown) {
  protocol::Dns dns;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end >= kMaxLine) {
      return Error::make(Code::kIo, "read " + shown + ": line " + std::to_string(number) + " is longer than 64 KiB");
    }
    // As the C library reads it. No result could hold a NUL, or not be read by the next plugin.
    const std::string_view line = text.substr(0, end);
    take_line(dns, line.substr(0, line.find('\0')));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return dns;
}

Result<protocol::Dns> read_resolv_conf(const std::string& path) {
  CNIO_LET(const std::string text, read_regular_file(path, kMaxFile));
  return parse_resolv_conf(text, path);
}

}  // namespace cnio::ipam
