// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "portmap/config.hpp"

#include <algorithm>
#include <map>
#include <netinet/in.h>
#include <tuple>

#include "cnio/attachment/chained.hpp"

#include "portmap/keys.hpp"

namespace cnio::portmap {
namespace {

using firewall::PortMapBackend;
using firewall::PortMapping;
using firewall::PortMapSpec;
using protocol::Fields;

constexpr int64_t kLastPort = 65'535;
constexpr int64_t kMostPorts = 65'535;  // of all mappings: some lines with ranges would be millions
constexpr int64_t kLastMarkBit = 31;
constexpr size_t kLongestChain = 28;  // XT_EXTENSION_MAXNAMELEN without its NUL

Result<uint16_t> parse_port(const Fields& fields, std::string_view key, int64_t range) {
  CNIO_LET(const std::optional<int64_t> port, fields.integer_within(key, 1, kLastPort));
  if (!port) return fields.fault(key, "is missing: each mapping needs one");
  if (*port + range - 1 > kLastPort) {
    return fields.fault("range", "ends beyond port 65535: " + std::to_string(range) + " ports from " +
                                     std::string(key) + " " + std::to_string(*port) + " on");
  }
  return static_cast<uint16_t>(*port);
}

Result<uint8_t> parse_protocol(const Fields& fields) {
  CNIO_LET(const std::string text, fields.text("protocol"));
  if (const auto protocol = firewall::parse_transport(text)) return *protocol;
  return fields.fault("protocol", text.empty() ? "is missing: tcp, udp, sctp, dccp or udplite"
                                               : "must be tcp, udp, sctp, dccp or udplite, not " + quote(text));
}

struct Range {
  PortMapping first;
  int64_t size = 1;
};

Result<Range> parse_range(const Fields& fields) {
  Range range;
  CNIO_LET(const std::optional<int64_t> size, fields.integer_within("range", 1, kLastPort));
  range.size = size.value_or(1);
  CNIO_LET(range.first.host_port, parse_port(fields, "hostPort", range.size));
  CNIO_LET(range.first.pod_port, parse_port(fields, "containerPort", range.size));
  CNIO_LET(range.first.protocol, parse_protocol(fields));
  CNIO_LET(range.first.host_ip, fields.ip("hostIP"));
  return range;
}

// In their order, each once. One port of the host cannot lead to two of the pod.
class Unique {
 public:
  Status add(const Range& range, const Fields& fields) {
    asked_ += range.size;
    if (asked_ > kMostPorts) {
      return fields.fault("range", "makes more than " + std::to_string(kMostPorts) + " ports of one container");
    }
    PortMapping next = range.first;
    for (int64_t left = range.size; left > 0; --left, ++next.host_port, ++next.pod_port) CNIO_TRY(add(next, fields));
    return {};
  }
  std::vector<PortMapping> take() { return std::move(mappings_); }

 private:
  Status add(const PortMapping& mapping, const Fields& fields) {
    const auto key = std::tuple(mapping.protocol, mapping.host_port, mapping.host_ip);
    const auto [before, is_new] = leads_to_.emplace(key, mapping.pod_port);
    if (is_new) mappings_.push_back(mapping);
    if (before->second == mapping.pod_port) return {};
    return fields.fault("hostPort", std::to_string(mapping.host_port) + " leads to container port " +
                                        std::to_string(before->second) + " already");
  }

  int64_t asked_ = 0;
  std::map<std::tuple<uint8_t, uint16_t, std::optional<IpAddr>>, uint16_t> leads_to_;
  std::vector<PortMapping> mappings_;
};

Result<std::vector<PortMapping>> parse_mappings(const Fields& all) {
  CNIO_LET(const Fields runtime, all.at(protocol::kRuntimeConfig));
  CNIO_LET(const std::vector<Fields> entries, runtime.objects("portMappings"));
  Unique unique;
  for (const Fields& entry : entries) {
    CNIO_LET(const Range range, parse_range(entry));
    CNIO_TRY(unique.add(range, entry));
  }
  return unique.take();
}

Status read_backend(const Fields& fields, PortMapSpec& spec) {
  CNIO_LET(const std::string text, fields.text("backend"));
  if (!fields.has("backend")) return {};
  if (text != "nftables" && text != "iptables") {
    return fields.fault("backend", "must be \"iptables\" or \"nftables\", not " + quote(text));
  }
  spec.backend = text == "nftables" ? PortMapBackend::kNftables : PortMapBackend::kIptables;
  return {};
}

// iptables knows no ports of UDP-Lite.
Status check_protocols(const Fields& fields, const PortMapSpec& spec) {
  const auto unknown = [](const PortMapping& mapping) { return mapping.protocol == IPPROTO_UDPLITE; };
  if (spec.backend == PortMapBackend::kNftables || std::none_of(spec.mappings.begin(), spec.mappings.end(), unknown)) {
    return {};
  }
  return fields.fault("backend", "must be \"nftables\" for ports of udplite");
}

Status read_mark(const Fields& fields, PortMapSpec& spec) {
  CNIO_LET(const std::optional<int64_t> bit, fields.integer_within("markMasqBit", 0, kLastMarkBit));
  if (bit) spec.mark = 1U << static_cast<unsigned>(*bit);
  CNIO_LET(spec.set_mark_chain, fields.text("externalSetMarkChain"));
  if (!fields.has("externalSetMarkChain")) return {};
  if (spec.set_mark_chain.empty() || spec.set_mark_chain.size() > kLongestChain) {
    return fields.fault("externalSetMarkChain", "must be a chain's name of 1 to 28 bytes");
  }
  if (bit) return fields.fault("externalSetMarkChain", "and markMasqBit exclude each other");
  if (spec.backend != PortMapBackend::kNftables) return {};
  return fields.fault("externalSetMarkChain", "is for iptables' chains: the backend \"nftables\" needs no mark");
}

Status read_conditions(const Fields& fields, PortMapSpec& spec) {
  CNIO_LET(spec.conditions_v4, fields.texts("conditionsV4"));
  CNIO_LET(spec.conditions_v6, fields.texts("conditionsV6"));
  CNIO_TRY(firewall::check_conditions(spec.backend, Family::kIpv4, spec.conditions_v4, "conditionsV4"));
  return firewall::check_conditions(spec.backend, Family::kIpv6, spec.conditions_v6, "conditionsV6");
}

}  // namespace

Result<PortMapSpec> parse_config(const protocol::Request& request) {
  const Fields fields = request.fields(kKeys);
  CNIO_TRY(protocol::check_common_keys(fields));
  PortMapSpec spec;
  spec.owner = {request.network, request.attachment};
  CNIO_LET(spec.mappings, parse_mappings(fields));
  CNIO_TRY(read_backend(fields, spec));
  CNIO_TRY(check_protocols(fields, spec));
  CNIO_LET(spec.snat, fields.boolean("snat", true));
  CNIO_LET(spec.masquerade_all, fields.boolean("masqAll"));
  CNIO_TRY(read_mark(fields, spec));
  CNIO_TRY(read_conditions(fields, spec));
  return spec;
}

std::vector<Cidr> choose_addresses(const protocol::AddResult& result, const protocol::Attachment& attachment) {
  std::vector<Cidr> chosen;
  for (const Cidr& address : attachment::addresses_of_container(result, attachment)) {
    const bool taken = std::any_of(chosen.begin(), chosen.end(),
                                   [&](const Cidr& other) { return other.family() == address.family(); });
    if (!taken) chosen.push_back(address);
  }
  return chosen;
}

}  // namespace cnio::portmap
