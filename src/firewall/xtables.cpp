// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/xtables.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_dccp.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/rtnetlink.h>

#include "cnio/firewall/transport.hpp"

namespace cnio::firewall {
namespace {

namespace expr = net::expr;

// struct xt_sctp_info of linux/netfilter/xt_sctp.h, which is not C++.
struct SctpInfo {
  uint16_t destination_ports[2];  // first and last, as the host has them
  uint16_t source_ports[2];
  uint32_t chunk_map[64];
  uint32_t chunk_match_type;
  struct {
    uint8_t chunk_type, flag, flag_mask;
  } flag_info[4];
  int32_t flag_count;
  uint32_t flags;
  uint32_t inverted_flags;
};
constexpr uint32_t kSctpDestinationPorts = 0x02;

// A structure of x_tables as the kernel wants it: padded to eight bytes (XT_ALIGN, which is not C++).
template <class Info>
std::string padded(const Info& info) {
  constexpr size_t kAlignment = 8;
  std::string bytes((sizeof info + kAlignment - 1) / kAlignment * kAlignment, '\0');
  std::memcpy(bytes.data(), &info, sizeof info);
  return bytes;
}

// iptables compares whole bytes without a mask.
void add_network(std::vector<net::NftExpression>& steps, const Cidr& cidr, bool source) {
  const Cidr network = cidr.network();
  const Family family = network.family();
  if (network.prefix == 0) return;
  const uint32_t offset = family == Family::kIpv4 ? (source ? 12 : 16) : (source ? 8 : 24);
  const bool whole = network.prefix % 8 == 0;
  const uint32_t length = whole ? network.prefix / 8U : static_cast<uint32_t>(network.addr.size());
  steps.push_back(expr::load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length));
  if (!whole) {
    std::string mask(length, '\0');
    for (unsigned bit = 0; bit < network.prefix; ++bit) {
      mask[bit / 8] = static_cast<char>(static_cast<uint8_t>(mask[bit / 8]) | 0x80U >> bit % 8);
    }
    steps.push_back(expr::mask(mask));
  }
  steps.push_back(expr::compare(expr::bytes_of(network.addr).substr(0, length)));
}

// With its NUL, and no more; a name that ends in "+" stands for all that begin so.
void add_interface(std::vector<net::NftExpression>& steps, uint32_t key, const std::string& name, bool equal) {
  if (name.empty()) return;
  steps.push_back(expr::load_meta(key));
  const bool prefix = name.back() == '+';
  const std::string compared = prefix ? name.substr(0, name.size() - 1) : std::string(name).append(1, '\0');
  steps.push_back(expr::compare(compared, 0, equal));
}

// TCP and UDP have expressions of their own; what others have, x_tables knows.
void add_port(std::vector<net::NftExpression>& steps, uint8_t protocol, uint16_t port) {
  if (port == 0) return;
  if (protocol == IPPROTO_SCTP) {
    SctpInfo info{};
    info.destination_ports[0] = info.destination_ports[1] = port;
    for (auto& flag : info.flag_info) flag.chunk_type = 0xFF;
    info.flags = kSctpDestinationPorts;
    steps.push_back(expr::match("sctp", 0, padded(info)));
  } else if (protocol == IPPROTO_DCCP) {
    xt_dccp_info info{};
    info.dpts[0] = info.dpts[1] = port;
    info.flags = XT_DCCP_DEST_PORTS;
    steps.push_back(expr::match("dccp", 0, padded(info)));
  } else {
    steps.push_back(expr::load_destination_port());
    steps.push_back(expr::compare(expr::bytes_of_port(port)));
  }
}

net::NftExpression comment_match(const std::string& comment) {
  xt_comment_info info{};
  comment.copy(info.comment, sizeof info.comment - 1);
  return expr::match("comment", 0, padded(info));
}

net::NftExpression ports_match(const std::vector<uint16_t>& ports) {
  xt_multiport_v1 info{};
  info.flags = XT_MULTIPORT_DESTINATION;
  info.count = static_cast<uint8_t>(std::min<size_t>(ports.size(), XT_MULTI_PORTS));
  std::copy_n(ports.begin(), info.count, info.ports);
  return expr::match("multiport", 1, padded(info));
}

net::NftExpression to_local_match() {
  xt_addrtype_info_v1 info{};
  info.dest = XT_ADDRTYPE_LOCAL;
  return expr::match("addrtype", 1, padded(info));
}

net::NftExpression state_match(XtablesState state) {
  xt_conntrack_mtinfo3 info{};
  info.match_flags = XT_CONNTRACK_STATE;
  info.state_mask = static_cast<uint16_t>(state);
  return expr::match("conntrack", 3, padded(info));
}

net::NftExpression translation(const std::pair<IpAddr, uint16_t>& to) {
  nf_nat_range2 range{};
  range.flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
  std::memcpy(&range.min_addr, to.first.data(), to.first.size());
  range.max_addr = range.min_addr;
  range.min_proto.all = range.max_proto.all = htons(to.second);
  return expr::target("DNAT", 2, padded(range));
}

net::NftExpression masquerading(Family family) {
  if (family == Family::kIpv6) return expr::target("MASQUERADE", 0, padded(nf_nat_range{}));
  nf_nat_ipv4_multi_range_compat range{};
  range.rangesize = 1;
  return expr::target("MASQUERADE", 0, padded(range));
}

net::NftExpression jump_to(const std::string& target) {
  if (target == "ACCEPT") return expr::verdict(NF_ACCEPT);
  if (target == "DROP") return expr::verdict(NF_DROP);
  if (target == "RETURN") return expr::verdict(NFT_RETURN);
  return expr::verdict(NFT_JUMP, target);
}

net::NftExpression action_of(const XtablesRule& rule, Family family) {
  if (rule.set_mark) {
    return expr::target("MARK", 2, padded(xt_mark_tginfo2{rule.set_mark->value, rule.set_mark->mask}));
  }
  if (rule.translate) return translation(*rule.translate);
  if (rule.masquerade) return masquerading(family);
  return jump_to(rule.jump);
}

}  // namespace

net::NftProgram program_of(const XtablesRule& rule, Family family) {
  net::NftProgram program;
  program.xtables_protocol = rule.protocol;
  auto& steps = program.steps;
  add_interface(steps, NFT_META_IIFNAME, rule.input_interface, true);
  add_interface(steps, NFT_META_OIFNAME, rule.output_interface, !rule.other_output);
  if (rule.protocol != 0) {
    steps.push_back(expr::load_meta(NFT_META_L4PROTO));
    steps.push_back(expr::compare(std::string(1, static_cast<char>(rule.protocol))));
  }
  if (rule.source) add_network(steps, *rule.source, true);
  if (rule.destination) add_network(steps, *rule.destination, false);
  add_port(steps, rule.protocol, rule.destination_port);
  if (!rule.comment.empty()) steps.push_back(comment_match(rule.comment));
  if (!rule.ports.empty()) steps.push_back(ports_match(rule.ports));
  if (rule.to_local) steps.push_back(to_local_match());
  if (rule.state != XtablesState::kNone) steps.push_back(state_match(rule.state));
  if (rule.mark) {
    steps.push_back(expr::load_meta(NFT_META_MARK));
    steps.push_back(expr::mask(expr::bytes_of_u32(rule.mark->mask)));
    steps.push_back(expr::compare(expr::bytes_of_u32(rule.mark->value)));
  }
  steps.push_back(expr::counter());
  steps.push_back(action_of(rule, family));
  return program;
}

namespace {

std::string_view value_in(const net::NftExpression& step, int attribute) {
  return net::find_attribute(net::find_attribute(step.attributes, attribute), NFTA_DATA_VALUE);
}

uint16_t network_order(std::string_view bytes) {
  uint16_t value = 0;
  if (bytes.size() == sizeof value) bytes.copy(reinterpret_cast<char*>(&value), sizeof value);
  return ntohs(value);
}

// The first port of ranges: those of sctp and dccp begin with the destination's.
template <class Info>
Info info_in(const net::NftExpression& step, int attribute = NFTA_MATCH_INFO) {
  Info info{};
  const std::string_view bytes = net::find_attribute(step.attributes, attribute);
  std::memcpy(&info, bytes.data(), std::min(bytes.size(), sizeof info));
  return info;
}

bool is_called(const net::NftExpression& step, int attribute, std::string_view wanted) {
  const std::string_view name = net::find_attribute(step.attributes, attribute);
  return name.substr(0, name.find('\0')) == wanted;
}

void read_match(const net::NftExpression& step, XtablesPorts& ports) {
  const auto is = [&](std::string_view wanted) { return is_called(step, NFTA_MATCH_NAME, wanted); };
  if (is("multiport")) {
    const auto info = info_in<xt_multiport_v1>(step);
    const size_t count = std::min<size_t>(info.count, XT_MULTI_PORTS);
    ports.ports.insert(ports.ports.end(), info.ports, info.ports + count);
  } else if (is("sctp")) {
    ports.ports.push_back(info_in<SctpInfo>(step).destination_ports[0]);
  } else if (is("dccp")) {
    ports.ports.push_back(info_in<xt_dccp_info>(step).dpts[0]);
  }
}

}  // namespace

bool XtablesPorts::cover(uint8_t other_protocol, uint16_t port) const {
  return protocol == other_protocol && std::find(ports.begin(), ports.end(), port) != ports.end();
}

XtablesPorts ports_of(const net::NftProgram& program, Family family) {
  XtablesPorts ports;
  const net::NftExpression* before = nullptr;
  const auto loaded = [&](const net::NftExpression& load) { return before != nullptr && load.same_effect(*before); };
  for (const net::NftExpression& step : program.steps) {
    if (step.name == "match") read_match(step, ports);
    if (step.name == "target" && is_called(step, NFTA_TARGET_NAME, "DNAT")) {
      const auto range = info_in<nf_nat_range2>(step, NFTA_TARGET_INFO);
      ports.translated = IpAddr::from_bytes(family, reinterpret_cast<const uint8_t*>(&range.min_addr));
    }
    if (step.name == "cmp") {
      const std::string_view value = value_in(step, NFTA_CMP_DATA);
      if (loaded(expr::load_meta(NFT_META_L4PROTO)) && !value.empty()) ports.protocol = static_cast<uint8_t>(value[0]);
      if (loaded(expr::load_destination_port())) ports.ports.push_back(network_order(value));
      if (loaded(expr::load_destination(family))) {
        ports.destination = IpAddr::from_bytes(family, reinterpret_cast<const uint8_t*>(value.data()));
      }
    }
    before = &step;
  }
  return ports;
}

namespace {

class Arguments {
 public:
  void put(std::initializer_list<std::string> words) { words_.insert(words_.end(), words); }
  std::vector<std::string> take() { return std::move(words_); }

 private:
  std::vector<std::string> words_;
};

std::string hexadecimal(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", value);
  return text;
}

std::string text_of(const XtablesMark& mark) { return hexadecimal(mark.value) + "/" + hexadecimal(mark.mask); }

std::string text_of(const std::pair<IpAddr, uint16_t>& to) {
  const std::string address = to.first.to_string();
  const std::string host = to.first.family() == Family::kIpv6 ? "[" + address + "]" : address;
  return host + ":" + std::to_string(to.second);
}

std::string join(const std::vector<uint16_t>& ports) {
  std::string text;
  for (const uint16_t port : ports) text.append(text.empty() ? "" : ",").append(std::to_string(port));
  return text;
}

void put_addresses(Arguments& arguments, const XtablesRule& rule) {
  if (rule.source) arguments.put({"-s", rule.source->network().to_string()});
  if (rule.destination) arguments.put({"-d", rule.destination->network().to_string()});
  if (!rule.input_interface.empty()) arguments.put({"-i", rule.input_interface});
  if (rule.other_output) arguments.put({"!"});
  if (!rule.output_interface.empty()) arguments.put({"-o", rule.output_interface});
}

void put_action(Arguments& arguments, const XtablesRule& rule) {
  if (rule.set_mark) {
    arguments.put({"-j", "MARK", "--set-xmark", text_of(*rule.set_mark)});
  } else if (rule.translate) {
    arguments.put({"-j", "DNAT", "--to-destination", text_of(*rule.translate)});
  } else {
    arguments.put({"-j", rule.masquerade ? "MASQUERADE" : rule.jump});
  }
}

}  // namespace

std::vector<std::string> arguments_of(const XtablesRule& rule) {
  Arguments arguments;
  put_addresses(arguments, rule);
  if (rule.protocol != 0) arguments.put({"-p", transport_name(rule.protocol)});
  if (rule.destination_port != 0) {
    arguments.put({"-m", transport_name(rule.protocol), "--dport", std::to_string(rule.destination_port)});
  }
  if (!rule.comment.empty()) arguments.put({"-m", "comment", "--comment", rule.comment});
  if (!rule.ports.empty()) arguments.put({"-m", "multiport", "--dports", join(rule.ports)});
  if (rule.to_local) arguments.put({"-m", "addrtype", "--dst-type", "LOCAL"});
  if (rule.state != XtablesState::kNone) {
    const bool dnat = rule.state == XtablesState::kDnat;
    arguments.put({"-m", "conntrack", "--ctstate", dnat ? "DNAT" : "RELATED,ESTABLISHED"});
  }
  if (rule.mark) arguments.put({"-m", "mark", "--mark", text_of(*rule.mark)});
  put_action(arguments, rule);
  return arguments.take();
}

}  // namespace cnio::firewall
