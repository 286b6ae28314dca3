// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/side_by_side.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace cnio::test {
namespace {

const std::regex kAnyMac{"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}"};

struct Words {
  bool refused = false;
  std::string verb;
  Attachment attachment;
};

Words parse(const std::string& text) {
  Words words;
  std::istringstream in(text);
  in >> words.verb;
  if (words.verb.starts_with("!")) {
    words.refused = true;
    words.verb.erase(0, 1);
  }
  if (std::string word; in >> word) words.attachment.container = word;
  if (std::string word; in >> word) words.attachment.ifname = word;
  words.attachment.netns = "/run/netns/" + words.attachment.container;
  return words;
}

bool is_shell(const std::string& text) { return text.starts_with("$ ") || text.starts_with("? "); }

void keep_macs(Twin& twin, const std::string& text) {
  for (std::sregex_iterator next(text.begin(), text.end(), kAnyMac); next != std::sregex_iterator(); ++next) {
    std::string mac = next->str();
    for (char& letter : mac) letter = letter == '-' ? ':' : static_cast<char>(std::tolower(letter));
    twin.keep_mac(mac);
  }
}

Outcome call(Twin& twin, const Case& one, const Step& step, const Words& words) {
  Json config = one.config;
  config.merge_patch(Json::parse(one.patch));
  const Json patch = Json::parse(step.patch, nullptr, false);
  if (!patch.is_object()) {
    return twin.call_raw(words.verb, words.attachment, config.at("type").get<std::string>(), step.patch, step.env);
  }
  config.merge_patch(patch);
  return twin.call(words.verb, words.attachment, config, step.env);
}

std::string outcome_word(const Outcome& outcome) {
  if (outcome.timed_out) return "did not end";
  if (outcome.exit_code == 0) return "succeeded";
  if (outcome.exit_code == 1) return "refused";
  return "crashed";
}

Observation observe_call(Twin& twin, const Case& one, const Step& step) {
  const Words words = parse(step.text);
  const Outcome outcome = call(twin, one, step, words);
  Observation seen{step.text, outcome.exit_code != 0, 0, twin.state()};
  seen.lines.push_back("outcome " + outcome_word(outcome));
  if (outcome.exit_code == 0) {
    seen.lines.push_back("stdout " + Json(twin.named_result(outcome.out)).dump());
  } else if (const Json error = Json::parse(outcome.out, nullptr, false); error.is_object()) {
    seen.error_code = error.value("code", 0);
  } else {
    seen.lines.emplace_back("stdout is no error object");
  }
  return seen;
}

Observation observe_shell(Twin& twin, const Step& step) {
  const Outcome outcome = twin.shell(step.text.substr(2));
  if (step.text.starts_with("$") && outcome.exit_code != 0) throw std::runtime_error(step.text + describe(outcome));
  Observation seen{step.text, false, 0, twin.state()};
  if (step.text.starts_with("?")) {
    seen.lines.push_back("answer " + twin.named(outcome.out) + " status " + std::to_string(outcome.exit_code));
  }
  return seen;
}

std::vector<std::string> matching(const std::vector<std::string>& lines, const std::regex& pattern) {
  std::vector<std::string> kept;
  std::copy_if(lines.begin(), lines.end(), std::back_inserter(kept),
               [&](const std::string& line) { return std::regex_search(line, pattern); });
  return kept;
}

std::vector<std::string> missing_in(const std::vector<std::string>& all, const std::vector<std::string>& other) {
  std::vector<std::string> found;
  std::set_difference(all.begin(), all.end(), other.begin(), other.end(), std::back_inserter(found));
  return found;
}

bool is_general(const std::string& line, const std::string& plugin) {
  const auto covers = [&](const Difference& general) { return std::regex_search(line, std::regex(general.lines)); };
  return std::any_of(general_differences().begin(), general_differences().end(), covers) ||
         std::any_of(differences_of(plugin).begin(), differences_of(plugin).end(), covers);
}

/// Lines that only one of the two has, each with its side in front; without general differences.
std::vector<std::string> differing(Observation reference, Observation ours, const std::string& plugin) {
  // The reference answers 999, or 0 from a delegate, where cnio says what it is about. All else is the specification's.
  const bool free = reference.error_code == 999 || reference.error_code == 0;
  if (reference.refused && ours.refused && !free) {
    reference.lines.push_back("code " + std::to_string(reference.error_code));
    ours.lines.push_back("code " + std::to_string(ours.error_code));
  }
  std::sort(reference.lines.begin(), reference.lines.end());
  std::sort(ours.lines.begin(), ours.lines.end());
  std::vector<std::string> all;
  for (const std::string& line : missing_in(reference.lines, ours.lines)) {
    if (!is_general(line, plugin)) all.push_back("reference: " + line);
  }
  for (const std::string& line : missing_in(ours.lines, reference.lines)) {
    if (!is_general(line, plugin)) all.push_back("ours: " + line);
  }
  return all;
}

}  // namespace

std::vector<Observation> play(const Case& one, Side side) {
  Twin twin(side);
  keep_macs(twin, one.config.dump() + one.patch);
  for (const Step& step : one.steps) {
    keep_macs(twin, step.text + step.patch);
    for (const auto& [name, value] : step.env) keep_macs(twin, value);
    if (!is_shell(step.text)) twin.add_pod(parse(step.text).attachment.container);
  }
  std::vector<Observation> seen;
  for (const Step& step : one.steps) {
    seen.push_back(is_shell(step.text) ? observe_shell(twin, step) : observe_call(twin, one, step));
  }
  return seen;
}

::testing::AssertionResult as_expected(const Case& one, const std::vector<Observation>& ours) {
  for (const Observation& seen : ours) {
    if (is_shell(seen.step) || seen.refused == seen.step.starts_with("!")) continue;
    return ::testing::AssertionFailure() << one.name << "\n"
                                         << seen.step << ": ours " << (seen.refused ? "refused" : "succeeded")
                                         << ", code " << seen.error_code;
  }
  return ::testing::AssertionSuccess();
}

bool shows(const Difference& general, const std::vector<Observation>& reference, const std::vector<Observation>& ours) {
  const std::regex pattern(general.lines);
  for (std::size_t index = 0; index < ours.size(); ++index) {
    if (matching(reference[index].lines, pattern) != matching(ours[index].lines, pattern)) return true;
  }
  return false;
}

::testing::AssertionResult same_work(const Case& one, const std::vector<Observation>& reference,
                                     const std::vector<Observation>& ours) {
  if (auto expected = as_expected(one, ours); !expected) return expected;
  const auto plugin = one.config.at("type").get<std::string>();
  std::vector<bool> shown(one.differences.size());
  std::string undeclared;
  std::set<std::string> told;
  constexpr std::size_t kMost = 20;
  for (std::size_t index = 0; index < ours.size(); ++index) {
    for (const std::string& line : differing(reference[index], ours[index], plugin)) {
      bool declared = false;
      for (std::size_t number = 0; number < shown.size(); ++number) {
        const Difference& known = one.differences[number];
        if (!known.step.empty() && known.step != ours[index].step) continue;
        if (!std::regex_search(line, std::regex(known.lines))) continue;
        shown[number] = declared = true;
      }
      if (declared || !told.insert(line).second || told.size() > kMost) continue;
      undeclared += "after step " + std::to_string(index + 1) + " (" + ours[index].step + ") " + line + "\n";
    }
  }
  for (std::size_t number = 0; number < shown.size(); ++number) {
    if (!shown[number]) undeclared += "declared, but not seen: " + one.differences[number].reason + "\n";
  }
  if (undeclared.empty()) return ::testing::AssertionSuccess();
  const std::size_t more = told.size() - std::min(told.size(), kMost);
  return ::testing::AssertionFailure() << one.name << "\n" << undeclared << "and " << more << " more";
}

const std::vector<Difference>& general_differences() {
  static const std::vector<Difference> kAll{
      {"^host <[^>]*> ifalias", "the host end's alias says whose it is"},
      {"^host br0 ifalias", "the alias of a new bridge says that the plugin made it"},
      {"^host <[^>]*> txqlen", "D41: the host end keeps the kernel's queue length"},
      {"^host sysctl ipv6/conf/<[^>]*>/(accept_ra|addr_gen_mode):", "the host end has no IPv6 of its own"},
      {"^[^ ]+ sysctl ipv6/conf/(eth|net)[0-9]+/accept_dad:", "without IPv6 addresses the pod's IPv6 settings stay"},
      {"^[^ ]+ [^ ]+ nodad ", "IPv6 addresses are added as ready, without duplicate address detection"},
      {"^host sysctl ipv6/conf/br0/accept_dad:", "D37: the gateway of a new bridge is ready at once"},
      {"^host route .*\"dst\":\"fd.*\"table\":\"local\"", "D37: the gateway of a new bridge is ready at once"},
      {" sysctl ipv6/conf/[^/]+/ndisc_notify:", "IPv6 addresses are announced, as IPv4 ones are"},
      {"^host br0 address ", "D39: a bridge keeps its MAC address, also without ports"},
  };
  return kAll;
}

const std::vector<Difference>& differences_of(std::string_view plugin) {
  static const std::vector<Difference> kPtp{
      {" sysctl ipv4/conf/(eth|net)[0-9]+/arp_notify:", "M22: addresses are announced"},
      {"^host sysctl ipv6/conf/<[^>]*>/accept_dad:", "M10: the gateway of a pod is ready at once"},
      {"^host <[^>]*> nodad ", "M10: the gateway of a pod is ready at once"},
  };
  static const std::vector<Difference> kTuning{
      {"^file /run/cni(/tuning)? mode ", "U10: folders can be entered by their owner"},
      {"^file /run/cni/tuning/.* mode ", "U11, U18: the backup says whose it is, and what sysctls were before"},
  };
  static const std::vector<Difference> kNone;
  if (plugin == "tuning") return kTuning;
  return plugin == "ptp" ? kPtp : kNone;
}

}  // namespace cnio::test
