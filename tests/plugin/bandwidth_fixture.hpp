// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {

/// Pods of bridge br0 with the bandwidth plugin behind bridge.
class BandwidthTest : public BridgeTest {
 protected:
  /// The name that the reference gives to the ifb of network n and container c1.
  static constexpr char kReferencesName[] = "bwp9b00b9b7c279";

  static Json limits(int64_t in_rate, int64_t in_burst, int64_t out_rate, int64_t out_burst) {
    Json all = Json::object();
    if (in_rate != 0 || in_burst != 0) all.update({{"ingressRate", in_rate}, {"ingressBurst", in_burst}});
    if (out_rate != 0 || out_burst != 0) all.update({{"egressRate", out_rate}, {"egressBurst", out_burst}});
    return all;
  }
  static Json both_ways() { return limits(8'000'000, 800'000, 16'000'000, 1'600'000); }

  static Json network(const std::string& name = "n") {
    Json config = bridge_config();
    config["name"] = name;
    return config;
  }

  /// What a runtime passes for a pod that bridge has made, with its annotations' limits.
  static Json config(const Json& result, const Json& of_pod, const std::string& name = "n") {
    Json config = {{"cniVersion", "1.1.0"}, {"name", name}, {"type", "bandwidth"}};
    config["runtimeConfig"]["bandwidth"] = of_pod;
    return with_prev_result(config, result);
  }
  static Json pod_config(const Attachment& attachment, const Json& of_pod = both_ways()) {
    return config(must_add(network(), attachment), of_pod);
  }

  /// ADD. Returns what CHECK and DEL get.
  static Json added(const Json& whole, const Attachment& attachment) {
    return with_prev_result(whole, must_add(whole, attachment));
  }
  /// Both plugins' ADD.
  static Json limited(const Attachment& attachment, const Json& of_pod = both_ways()) {
    return added(pod_config(attachment, of_pod), attachment);
  }

  static std::string host_end_of(const Json& whole) { return host_end(whole.at("prevResult")); }
  static std::string ifb_of(const Json& whole) {
    return whole.at("prevResult").at("interfaces").back().at("name").get<std::string>();
  }
  static Attachment nowhere(Attachment attachment) {
    attachment.netns.clear();
    return attachment;
  }

  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      line.erase(line.find_last_not_of(' ') + 1);
      if (!line.empty()) out.push_back(line);
    }
    return out;
  }

  /// Words of tc, as one typed them.
  static Outcome tc(const std::string& words) {
    std::vector<std::string> argv = {"tc"};
    std::istringstream in(words);
    for (std::string word; in >> word;) argv.push_back(word);
    return run({argv});
  }
  static void must_tc(const std::string& words) {
    const Outcome outcome = tc(words);
    if (outcome.exit_code != 0) throw std::runtime_error(words + ": " + describe(outcome));
  }

  /// The disciplines of a link, in full, but for the kernel's own.
  static std::vector<std::string> qdiscs(const std::string& link) {
    std::vector<std::string> all = lines(tc("-r -d qdisc show dev " + link).out);
    std::erase_if(all, [](const std::string& line) { return line.find("noqueue") != std::string::npos; });
    return all;
  }
  /// The same of everything on the host.
  static std::vector<std::string> all_qdiscs() {
    std::vector<std::string> all = lines(tc("qdisc show").out);
    std::erase_if(all, [](const std::string& line) { return line.find("noqueue") != std::string::npos; });
    return all;
  }
  static std::string root(const std::string& link) {
    for (const std::string& line : qdiscs(link)) {
      if (line.find(" root ") != std::string::npos) return line;
    }
    return "none";
  }
  /// One number of a root: "limit" of "... limit 26518b ...", "rate" of "... rate 8Mbit ...".
  static int64_t number(const std::string& link, const std::string& word) {
    const std::string text = root(link);
    const auto at = text.find(" " + word + " ");
    if (at == std::string::npos) return -1;
    std::size_t digits = 0;
    const std::string value = text.substr(at + word.size() + 2, 24);
    const int64_t count = std::stoll(value, &digits);
    const std::string unit = value.substr(digits, 2);
    if (unit == "Kb" && value.substr(digits, 4) != "Kbit") return count << 10U;
    return unit == "Mb" && value.substr(digits, 4) != "Mbit" ? count << 20U : count;
  }

  static std::vector<std::string> filters(const std::string& link, const std::string& where = "parent ffff:") {
    return lines(tc("filter show dev " + link + " " + where).out);
  }
  static bool redirects(const std::string& link, const std::string& ifb) {
    const std::vector<std::string> all = filters(link);
    return std::any_of(all.begin(), all.end(), [&](const std::string& line) {
      return line.find("Egress Redirect to device " + ifb + ") stolen") != std::string::npos;
    });
  }

  static std::vector<std::string> ifbs() {
    std::vector<std::string> names;
    for (const Json& link : ip_json({"link", "show", "type", "ifb"}))
      names.push_back(link.at("ifname").get<std::string>());
    return names;
  }

  static Outcome reference(const std::string& verb, Json config, const Attachment& attachment) {
    if (config.contains("prevResult")) config["prevResult"]["cniVersion"] = "1.0.0";
    return by_reference(verb, config, attachment);
  }
  static Json added_by_reference(const Json& whole, const Attachment& attachment) {
    const Outcome outcome = reference("ADD", whole, attachment);
    if (outcome.exit_code != 0) throw std::runtime_error(describe(outcome));
    Json result = Json::parse(outcome.out);
    result["cniVersion"] = whole.at("cniVersion");
    return with_prev_result(whole, result);
  }
};

}  // namespace cnio::test
