// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The files that flannel reads: the first line of the input says which, a "record" or, by default, the subnet file; the
// rest is its content.
#include "cnio/ipam/subnet_file.hpp"

#include "flannel/delegation.hpp"
#include "flannel/record.hpp"
#include "fuzz/fuzz.hpp"

namespace cnio::fuzz {
namespace {

protocol::Request request() {
  protocol::Request out;
  out.command = protocol::Command::kAdd;
  require(protocol::parse_stdin(out, R"({"cniVersion":"1.1.0","name":"n","type":"flannel"})").ok(), "it is a network");
  return out;
}

bool has_family(const std::vector<Cidr>& networks, Family family) {
  return std::any_of(networks.begin(), networks.end(), [&](const Cidr& each) { return each.family() == family; });
}

void check_subnets(std::string_view text) {
  const auto read = ipam::parse_subnets(text, "subnet.env");
  if (!read.ok()) {
    require(read.error().code() == Code::kDecode && read.error().msg().find("subnet.env") != std::string::npos,
            "an error names the file", read.error().msg());
    return check_error(read.error());
  }
  const ipam::NodeSubnets& subnets = read.value();
  require(!subnets.subnets.empty() && subnets.subnets.size() <= 2, "a node has a subnet of each family");
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    require(has_family(subnets.networks, family) == has_family(subnets.subnets, family), "a family is whole");
  }
  const protocol::Request call = request();
  const auto told = flannel::delegate_to(call, flannel::readable_config(call), subnets);
  require(told.ok() && protocol::with_config(call, told.value().config).ok(), "a delegate can be told");
  (void)ipam::check_subnets(subnets, 110).ok();
  const auto again = ipam::parse_subnets(ipam::format_subnets(subnets), "subnet.env");
  require(again.ok() && again.value().mtu == subnets.mtu && again.value().ip_masq == subnets.ip_masq,
          "what is written is read");
  for (size_t i = 0; i < subnets.subnets.size(); ++i) {
    require(again.value().subnets[i].network() == subnets.subnets[i].network(), "and is the same");
  }
}

void check_record(std::string_view text) {
  const auto read = flannel::parse_record(std::string(text));
  if (!read) return;
  require(!read->told.delegation.type.empty() && !read->told.network.empty(), "a record names plugin and network");
  const protocol::Attachment owner = read->attachment.value_or(protocol::Attachment{"c1", "eth0"});
  const auto again = flannel::parse_record(flannel::format_record(read->told.delegation.config, owner));
  require(again.has_value(), "what is written can be read");
  require(again->attachment == owner && again->told.network == read->told.network, "and is the same");
}

void fuzz_one(std::string_view text) {
  const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
  if (line != "record") return check_subnets(text);
  check_record(text.substr(std::min(line.size() + 1, text.size())));
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
