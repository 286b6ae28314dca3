// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/config.hpp"

#include <algorithm>

#include "firewall/keys.hpp"

namespace cnio::pod_firewall {
namespace {

using firewall::IngressPolicy;
using firewall::PodBackend;
using protocol::Fields;

// The longest that iptables takes.
constexpr size_t kMaxChainName = 28;

std::optional<PodBackend> named_backend(const std::string& text) {
  if (text == "iptables") return PodBackend::kIptables;
  if (text == "firewalld") return PodBackend::kFirewalld;
  if (text == "nftables") return PodBackend::kNftables;
  return std::nullopt;
}

std::optional<IngressPolicy> named_policy(const std::string& text) {
  if (text.empty() || text == "open") return IngressPolicy::kOpen;
  if (text == "same-bridge") return IngressPolicy::kSameBridge;
  if (text == "isolated") return IngressPolicy::kIsolated;
  return std::nullopt;
}

bool may_be_in_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

// What iptables would refuse, or take for something else.
Status check_chain_name(const Fields& fields, const std::string& name) {
  static constexpr char kKey[] = "iptablesAdminChainName";
  if (name.size() > kMaxChainName)
    return fields.fault(kKey, "must have 28 characters at most (got " + quote(name) + ")");
  if (name[0] == '-' || !std::all_of(name.begin(), name.end(), may_be_in_a_name)) {
    return fields.fault(kKey, "must be letters, digits, \"_\", \".\" and \"-\", which it does not begin with (got " +
                                  quote(name) + ")");
  }
  const bool taken = name.starts_with("CNI-ISOLATION-") || name == "CNI-FORWARD" || name == "FORWARD" ||
                     name == "INPUT" || name == "OUTPUT";
  const bool target = name == "ACCEPT" || name == "DROP" || name == "RETURN" || name == "QUEUE";
  if (taken || target) return fields.fault(kKey, "must not be " + quote(name) + ", which is something else");
  return {};
}

}  // namespace

Result<Config> parse_config(const protocol::Request& request) {
  const Fields fields = request.fields(kKeys);
  CNIO_TRY(protocol::check_common_keys(fields));
  Config config;
  CNIO_LET(const std::string backend, fields.text("backend"));
  config.backend = named_backend(backend);
  if (!config.backend) config.ignored_backend = backend;
  CNIO_LET(const std::string chain, fields.text("iptablesAdminChainName"));
  if (!chain.empty()) config.admin_chain = chain;
  CNIO_TRY(check_chain_name(fields, config.admin_chain));
  CNIO_LET(const std::string zone, fields.text("firewalldZone"));
  if (!zone.empty()) config.zone = zone;
  CNIO_LET(const std::string policy, fields.text("ingressPolicy"));
  const auto named = named_policy(policy);
  if (!named) {
    return fields.fault("ingressPolicy", R"(must be "open", "same-bridge" or "isolated" (got )" + quote(policy) + ")");
  }
  config.policy = *named;
  return config;
}

}  // namespace cnio::pod_firewall
