// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Subnets that another link of the host has, and whether they are forwarded.
#include <linux/if_link.h>

#include <nlohmann/json.hpp>

#include "cnio/attachment/forwarding.hpp"
#include "cnio/attachment/routers.hpp"

#include "bridge/steps.hpp"
#include "net_fixture.hpp"

namespace cnio::bridge {
namespace {

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

class SubnetsTest : public test::NetTest {
 protected:
  SubnetsTest() {
    config_.bridge = "br0";
    config_.is_gateway = true;
    config_.ipam_type = "host-local";
    ip("link add br0 type bridge");
    ip("link add other type bridge");
    for (const char* name : {"br0", "other"}) ip("link set " + std::string(name) + " up");
  }

  Status overlap(const std::string& gateway, Code code = Code::kConflict) {
    auto bridge = net::find_link(route(), "br0");
    return check_overlap(route(), config_, bridge.value(), {cidr(gateway)}, code);
  }
  static void give(const std::string& address, const std::string& link = "other") {
    ip("addr flush dev " + link + " scope global");
    test::must_run({"ip", "addr", "add", address, "dev", link});
  }
  static protocol::Request request(const std::string& ipam) {
    protocol::Request out;
    const auto parsed = protocol::parse_json(R"({"ipam": )" + ipam + "}");
    out.config = std::make_shared<protocol::Json>(parsed.value());
    return out;
  }

  Config config_;
};

TEST_F(SubnetsTest, TheSameOrAPartOfItElsewhereIsAConflict) {
  FAULT("B8 two networks with one subnet");
  for (const auto& [theirs, ours] : {std::pair("10.1.0.1/24", "10.1.0.1/24"), std::pair("10.1.0.7/24", "10.1.0.1/24"),
                                     std::pair("10.1.0.130/25", "10.1.0.1/24"), std::pair("10.1.0.1/32", "10.1.0.1/24"),
                                     std::pair("10.1.0.1/16", "10.1.0.1/24"), std::pair("fd01::1/64", "fd01::1/64"),
                                     std::pair("fd01::9/64", "fd01::1/64"), std::pair("fd01::9/80", "fd01::1/64")}) {
    give(theirs);
    const Status status = overlap(ours);
    EXPECT_ERROR(status, Code::kConflict, ours, theirs, "bridge br0", "interface other") << theirs;
    EXPECT_NE(test::details(status).find("allowOverlap"), std::string::npos);
  }
}

TEST_F(SubnetsTest, WhatDoesNotGetInTheWayIsNone) {
  FAULT("B8 two networks with one subnet");
  for (const auto& [theirs, ours] :
       {std::pair("10.1.1.1/24", "10.1.0.1/24"), std::pair("10.1.0.0/32", "10.1.0.1/24"),
        std::pair("10.1.0.9/16", "10.1.0.1/24"), std::pair("fe80::1/64", "fe80::2/64"),
        std::pair("169.254.1.1/16", "169.254.0.1/16"), std::pair("fd01::9/128", "fd01::1/64"),
        std::pair("fd01::9/48", "fd01::1/64"), std::pair("::a01:1/120", "10.1.0.1/24")}) {
    give(theirs);
    EXPECT_OK(overlap(ours)) << theirs;
  }
  give("10.1.0.1/24");
  config_.allow_overlap = true;
  EXPECT_OK(overlap("10.1.0.1/24"));
}

TEST_F(SubnetsTest, ItsOwnInterfaceAndOnesThatAreDownDoNotCount) {
  FAULT("B8 two networks with one subnet");
  give("10.1.0.1/24", "br0");
  EXPECT_OK(overlap("10.1.0.1/24"));
  give("10.1.0.1/24");
  ip("link set other down");
  EXPECT_OK(overlap("10.1.0.1/24"));
  EXPECT_ERROR(check_overlap(route(), config_, std::nullopt, {cidr("10.1.0.1/24")}, Code::kConflict), Code::kConflict,
               "br0");
}

TEST_F(SubnetsTest, TheCodeIsTheCallers) {
  give("10.1.0.1/24");
  EXPECT_ERROR(overlap("10.1.0.1/24", Code::kCheckFailed), Code::kCheckFailed, "other");
}

TEST_F(SubnetsTest, ThePlanOfAGatewayAsksOnlyForWhatItAdds) {
  FAULT("B8 two networks with one subnet");
  give("10.1.0.1/24");
  EXPECT_ERROR(plan_gateway(route(), config_, {cidr("10.1.0.1/24")}), Code::kConflict, "other");
  give("10.1.0.1/24", "br0");
  EXPECT_OK(plan_gateway(route(), config_, {cidr("10.1.0.1/24")}));
}

TEST_F(SubnetsTest, AreLearnedFromTheIpamConfiguration) {
  FAULT("B8 STATUS");
  give("10.1.0.1/24");
  for (const char* ipam :
       {R"({"type": "host-local", "subnet": "10.1.0.0/24"})",
        R"({"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/24"}], [{"subnet": "10.1.0.0/24"}]]})",
        R"({"type": "host-local", "subnet": "10.1.0.0/16", "gateway": "10.1.0.1"})",
        R"({"type": "static", "addresses": [{"address": "10.1.0.77/24", "gateway": "10.1.0.9"}]})"}) {
    EXPECT_ERROR(check_subnets(route(), request(ipam), config_), Code::kConflict, "other") << ipam;
  }
  for (const char* ipam : {R"({"type": "dhcp"})", R"({"type": "host-local", "subnet": 7, "ranges": "x"})",
                           R"({"type": "host-local", "ranges": [[7]]})", R"({"type": "x", "subnet": "0.0.0.0/0"})"}) {
    EXPECT_OK(check_subnets(route(), request(ipam), config_)) << ipam;
  }
  config_.is_gateway = false;
  EXPECT_OK(check_subnets(route(), request(R"({"type": "host-local", "subnet": "10.1.0.0/24"})"), config_));
}

// ---- forwarding

class ForwardedTest : public SubnetsTest {
 protected:
  ForwardedTest() { set("1", "1"); }
  static void set(const std::string& ipv4, const std::string& ipv6) {
    test::set_sysctl("net/ipv4/ip_forward", ipv4);
    test::set_sysctl("net/ipv6/conf/all/forwarding", ipv6);
  }
  Status forwarding(const std::vector<Cidr>& addresses) {
    return attachment::check_forwarding(route(), link("br0"), addresses, Code::kCheckFailed);
  }
  const std::vector<Cidr> both_{cidr("10.1.0.1/24"), cidr("fd01::1/64")};
};

TEST_F(ForwardedTest, WhatIsOffIsNamed) {
  FAULT("D15 forwarding off");
  EXPECT_OK(forwarding(both_));
  set("0", "1");
  EXPECT_ERROR(forwarding(both_), Code::kCheckFailed, "net.ipv4.ip_forward is 0");
  EXPECT_OK(forwarding({both_[1]}));
  set("1", "0");
  EXPECT_ERROR(forwarding(both_), Code::kCheckFailed, "net.ipv6.conf.all.forwarding is 0");
  EXPECT_OK(forwarding({both_[0]}));
  EXPECT_OK(forwarding({}));
}

TEST_F(ForwardedTest, OfTheGatewayInterfaceAlone) {
  FAULT("D15 forwarding off");
  test::set_sysctl("net/ipv4/conf/br0/forwarding", "0");
  EXPECT_ERROR(forwarding(both_), Code::kCheckFailed, "net.ipv4.conf.br0.forwarding is 0");
}

TEST_F(ForwardedTest, StatusLooksOnceTheGatewayIsThere) {
  FAULT("D15 forwarding off");
  const auto asked = request(R"({"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24"}]]})");
  set("0", "0");
  EXPECT_OK(check_subnets_forwarded(route(), asked, config_));
  give("10.1.0.1/24", "br0");
  EXPECT_ERROR(check_subnets_forwarded(route(), asked, config_), Code::kLimited, "net.ipv4.ip_forward is 0");
  set("1", "0");
  EXPECT_OK(check_subnets_forwarded(route(), asked, config_));
  config_.bridge = "none";
  EXPECT_OK(check_subnets_forwarded(route(), asked, config_));
}

}  // namespace
}  // namespace cnio::bridge
