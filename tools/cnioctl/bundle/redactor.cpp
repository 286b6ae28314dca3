// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/bundle/redactor.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace cnio::cnioctl {
namespace {

// Those that many networks have: of private use, of one link, of this host, of groups, for documents, and 100.64.0.0/10
// of carriers.
constexpr std::array<std::string_view, 17> kNobodys = {
    "0.0.0.0/8",    "10.0.0.0/8",     "100.64.0.0/10",   "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.2.0/24", "192.168.0.0/16", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",    "::/127",
    "64:ff9b::/96", "2001:db8::/32",  "fc00::/7",        "fe80::/10",      "ff00::/8"};

bool is_public(const IpAddr& address) {
  return std::none_of(kNobodys.begin(), kNobodys.end(),
                      [&](std::string_view each) { return Cidr::parse(each)->contains(address); });
}

// What names of pods, and addresses, consist of.
bool is_of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == ':' || c == '_';
}

std::string numbered(const char* what, size_t number) { return what + std::to_string(number); }

bool is_everywhere(std::string_view name_space) { return name_space == "default" || name_space.starts_with("kube-"); }

}  // namespace

Redactor::Redactor(const std::vector<std::string>& pods, const std::string& node) {
  size_t count = 0;
  size_t spaces = 0;
  names_.emplace(node, "node");
  for (const std::string& pod : pods) {
    const size_t slash = pod.find('/');
    if (slash == std::string::npos) continue;
    const std::string space = pod.substr(0, slash);
    if (names_.emplace(pod.substr(slash + 1), numbered("pod-", count + 1)).second) ++count;
    if (!is_everywhere(space) && names_.emplace(space, numbered("namespace-", spaces + 1)).second) ++spaces;
  }
}

std::string Redactor::address(std::string_view word) {
  const auto parsed = IpAddr::parse(word);
  if (!parsed || !is_public(*parsed)) return std::string(word);
  return addresses_.emplace(*parsed, numbered("public-", addresses_.size() + 1)).first->second;
}

// A point or colon at the end is the sentence's.
std::string Redactor::word(std::string_view word) {
  const size_t end = word.find_last_not_of(".:");
  const std::string_view tail = end == std::string_view::npos ? word : word.substr(end + 1);
  const std::string_view core = word.substr(0, word.size() - tail.size());
  const auto name = names_.find(core);
  return (name == names_.end() ? address(core) : name->second) + std::string(tail);
}

std::string Redactor::redacted(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t size = 0;
    while (size < text.size() && is_of_word(text[size])) ++size;
    if (size != 0) out += word(text.substr(0, size));
    if (size == 0) out += text.front();
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out;
}

}  // namespace cnio::cnioctl
