// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/netlink_answers.hpp"
#include "support/forged_kernel/messages.hpp"

// Changes one attribute of an answer, and the lengths of all that it is nested in. Of random bytes, libnl refuses
// nearly all that make an attribute longer or shorter, before any parser of ours sees them.
namespace cnio::fuzz {

class NetlinkMutator {
 public:
  explicit NetlinkMutator(unsigned seed) : random_(seed) {}

  // The same if there is nothing to change.
  std::string mutate(std::string_view input) {
    if (input.empty()) return {};
    std::deque<std::string> answers = split_answers(input.substr(1));
    if (!answers.empty()) change_answer(answers[below(answers.size())]);
    std::string out(input.substr(0, 1));
    for (const std::string& answer : answers) append_answer(out, answer);
    return out;
  }

 private:
  static constexpr size_t kLongestFixedPart = 20;
  static constexpr size_t kLongestValue = 48;

  struct Attribute {
    uint16_t type;
    std::string value;
  };
  using Attributes = std::vector<Attribute>;

  size_t below(size_t limit) { return random_() % limit; }

  // Nothing if the bytes are something else.
  static std::optional<Attributes> parse(std::string_view bytes) {
    Attributes out;
    while (bytes.size() >= sizeof(nlattr)) {
      nlattr header;
      std::memcpy(&header, bytes.data(), sizeof header);
      if (header.nla_len < sizeof header || header.nla_len > bytes.size()) return std::nullopt;
      out.push_back({header.nla_type, std::string(bytes.substr(sizeof header, header.nla_len - sizeof header))});
      bytes.remove_prefix(std::min<size_t>(NLA_ALIGN(header.nla_len), bytes.size()));
    }
    return out.empty() || !bytes.empty() ? std::nullopt : std::optional(std::move(out));
  }

  static std::string format(const Attributes& attributes) {
    std::string out;
    for (const Attribute& each : attributes) {
      const nlattr header = {static_cast<uint16_t>(sizeof(nlattr) + each.value.size()), each.type};
      out.append(reinterpret_cast<const char*>(&header), sizeof header).append(each.value);
      out.resize(NLA_ALIGN(out.size()), '\0');
    }
    return out;
  }

  void change_answer(std::string& answer) {
    const std::vector<test::Place> messages = test::find_messages(answer);
    if (messages.empty()) return;
    const auto [at, length] = messages[below(messages.size())];
    const std::string message = answer.substr(at, length);
    for (size_t body = sizeof(nlmsghdr); body <= sizeof(nlmsghdr) + kLongestFixedPart && body < length; body += 4) {
      auto attributes = parse(std::string_view(message).substr(body));
      if (!attributes) continue;
      change(*attributes);
      std::string changed = message.substr(0, body) + format(*attributes);
      nlmsghdr header = test::header_of(changed);
      header.nlmsg_len = static_cast<uint32_t>(changed.size());
      test::set_header(changed, 0, header);
      answer.replace(at, length, changed);
      return;
    }
  }

  // How many attributes there are that hold no others.
  static size_t leaves(const Attribute& attribute) {
    const auto within = parse(attribute.value);
    if (!within) return 1;
    size_t count = 0;
    for (const Attribute& each : *within) count += leaves(each);
    return count;
  }

  // The way to any of these, to each as likely, however deep it is.
  Attribute& choose(Attributes& attributes) {
    size_t total = 0;
    for (const Attribute& each : attributes) total += leaves(each);
    size_t left = below(total);
    auto chosen = attributes.begin();
    for (; left >= leaves(*chosen); ++chosen) left -= leaves(*chosen);
    return *chosen;
  }

  void change(Attributes& attributes) {
    Attribute& chosen = choose(attributes);
    auto within = parse(chosen.value);
    if (within && below(16) != 0) {
      change(*within);
      chosen.value = format(*within);
      return;
    }
    switch (below(4)) {
      case 0:
        chosen.type = static_cast<uint16_t>(below(16));
        break;
      case 1:
        attributes.push_back(Attribute(chosen));
        break;
      default:
        chosen.value.resize(below(kLongestValue), static_cast<char>(below(256)));
    }
  }

  std::minstd_rand random_;
};

}  // namespace cnio::fuzz
