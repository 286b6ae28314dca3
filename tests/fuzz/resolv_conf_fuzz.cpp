// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The file that ipam.resolvConf names.
#include "cnio/ipam/resolv_conf.hpp"

#include "fuzz/fuzz.hpp"

namespace cnio::fuzz {
namespace {

void require_words(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    require(!word.empty() && word.find_first_of(" \t\r\v\f\n") == std::string::npos, "a value is one word", word);
  }
}

// The same settings, written as a file again.
std::string write(const protocol::Dns& dns) {
  std::string text;
  for (const std::string& server : dns.nameservers) text += "nameserver " + server + "\n";
  if (!dns.domain.empty()) text += "domain " + dns.domain + "\n";
  for (const std::string& domain : dns.search) text += "search " + domain + "\n";
  for (const std::string& option : dns.options) text += "options " + option + "\n";
  return text;
}

void fuzz_one(std::string_view text) {
  const auto dns = ipam::parse_resolv_conf(text, "/etc/resolv.conf");
  if (!dns.ok()) {
    check_error(dns.error());
    return;
  }
  require_words(dns.value().nameservers);
  require_words(dns.value().search);
  require_words(dns.value().options);
  if (!dns.value().domain.empty()) require_words({dns.value().domain});
  const auto again = ipam::parse_resolv_conf(write(dns.value()), "it");
  require(again.ok() && write(again.value()) == write(dns.value()), "writing and reading changes nothing");

  protocol::AddResult result;
  result.ips.push_back({*Cidr::parse("10.1.0.2/24"), std::nullopt, std::nullopt});
  result.dns = dns.value();
  take_result(result, protocol::kLatestVersion);
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
