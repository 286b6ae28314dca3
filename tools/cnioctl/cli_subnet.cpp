// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_subnet.hpp"

#include "cnioctl/command_line/common_options.hpp"
#include "cnioctl/subnet.hpp"

namespace cnio::cnioctl {
namespace {

template <auto... kPath>
constexpr Field subnet_field() {
  return field<&Line::subnet, kPath...>();
}

// Of each of them.
constexpr Option kWhich[] = {{.name = "FILE",
                              .value = kFile,
                              .about = "in the form of flannel's subnet.env",
                              .need = Need::kRequired,
                              .to = subnet_field<&SubnetOptions::file>()}};

constexpr Option kWantedPods = {.name = "pods",
                                .value = "N",
                                .about = "for how many a subnet has to have room",
                                .to = subnet_field<&SubnetOptions::pods>()};
constexpr Option kUplink = {.name = "uplink",
                            .value = "LINK",
                            .about = "the interface to other nodes (default: that of the default route)",
                            .to = subnet_field<&SubnetOptions::uplink>()};
constexpr Option kOverlay = {.name = "overlay",
                             .value = "KIND",
                             .choices = "none|vxlan|wireguard",
                             .about = "what carries packets to other nodes",
                             .to = subnet_field<&SubnetOptions::overlay>()};

constexpr Option kCheckSubnet[] = {
    kWantedPods,
    kUplink,
    kOverlay,
    {.name = "here", .about = "would this node carry its pods?", .to = subnet_field<&SubnetOptions::here>()},
    {.name = "bridge", .value = "LINK", .about = "that of the pods", .to = subnet_field<&SubnetOptions::bridge>()}};

constexpr Option kWrite[] = {
    kWantedPods,
    kUplink,
    kOverlay,
    {.name = "cluster",
     .value = "CIDR,...",
     .about = "all nodes' pods",
     .need = Need::kRequired,
     .commas = true,
     .to = subnet_field<&SubnetOptions::cluster>()},
    {.name = "subnet",
     .value = "CIDR,...",
     .about = "this node's pods: one of each family",
     .need = Need::kOneOf,
     .commas = true,
     .to = subnet_field<&SubnetOptions::subnets>()},
    {.name = "node",
     .value = kFile,
     .about = "or a Kubernetes Node object, whose podCIDRs are taken; -: standard input",
     .need = Need::kOneOf,
     .to = subnet_field<&SubnetOptions::node_file>()},
    {.name = "node-name",
     .value = "NAME",
     .about = "the node that it has to be of",
     .to = subnet_field<&SubnetOptions::node_name>()},
    {.name = "mtu",
     .value = "N",
     .about = "of pods: a number, or auto, as the uplink's",
     .to = subnet_field<&SubnetOptions::mtu>()},
    {.name = "ipmasq",
     .about = "somebody else masquerades, flanneld for example",
     .to = subnet_field<&SubnetOptions::ip_masq>()},
    {.name = "network",
     .value = "NAME",
     .about = "the network that gives these addresses",
     .to = subnet_field<&SubnetOptions::network>()},
    {.name = "replaces",
     .value = kFile,
     .about = "its file, which will be for other subnets",
     .to = subnet_field<&SubnetOptions::replaces>()},
    data_dir_option(subnet_field<&SubnetOptions::stores, &StorePlaces::data_dir>()),
    cache_dir_option(subnet_field<&SubnetOptions::stores, &StorePlaces::cache_dir>()),
    {.name = "force", .about = "also if pods lose their network", .to = subnet_field<&SubnetOptions::force>()},
    {.name = "dry-run", .about = "changes nothing", .to = subnet_field<&SubnetOptions::dry_run>()}};

SubnetOptions& options_of(Line& line) {
  line.subnet.json = line.json;
  return line.subnet;
}

Outcome run_show(Line& line) { return subnet_show(options_of(line)); }
Outcome run_subnet_check(Line& line) { return subnet_check(options_of(line)); }
Outcome run_write(Line& line) { return subnet_write(options_of(line)); }

constexpr Verb kSubnetVerbs[] = {
    {"subnet", "the file that says which subnet is this node's"},
    {"subnet show", "what it says", {kWhich}, run_show},
    {"subnet check", "is it whole and right?", {kWhich, kCheckSubnet}, run_subnet_check},
    {"subnet write", "writes it, unless pods would lose their network", {kWhich, kWrite}, run_write},
};

}  // namespace

std::span<const Verb> subnet_verbs() { return kSubnetVerbs; }

}  // namespace cnio::cnioctl
