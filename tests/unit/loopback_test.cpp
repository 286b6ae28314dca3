// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "loopback/loopback.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::loopback {
namespace {

protocol::Request request(const std::string& command, const std::string& netns, const std::string& members = "") {
  const protocol::Environment environment({"CNI_COMMAND=" + command, "CNI_CONTAINERID=c1", "CNI_NETNS=" + netns,
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin"});
  auto parsed = protocol::parse_environment(environment);
  EXPECT_OK(parsed);
  protocol::Request out = std::move(parsed).value();
  EXPECT_OK(protocol::parse_stdin(out, R"({"cniVersion": "1.1.0", "name": "lo", "type": "loopback")" + members + "}"));
  return out;
}

Result<protocol::AddResult> add(const protocol::Request& request) {
  Rollback undo;
  return plugin().add(request, undo);
}

TEST(Loopback, EveryVerbIsNamed) {
  const protocol::Plugin loopback = plugin();
  EXPECT_EQ(loopback.name, "loopback");
  EXPECT_TRUE(loopback.add && loopback.del && loopback.check && loopback.status && loopback.gc);
  EXPECT_OK(protocol::parse_json(loopback.example_config));
}

TEST(Loopback, StatusAndGcHaveNothingToDo) {
  EXPECT_OK(plugin().status(request("STATUS", "")));
  EXPECT_OK(plugin().gc(request("GC", "")));
}

TEST(Loopback, AddAndCheckNeedTheSandbox) {
  PARITY("T16");
  for (const char* path : {"/nonexistent/ns", "/etc/passwd"}) {
    EXPECT_ERROR(add(request("ADD", path)), Code::kInvalidEnvironment, "CNI_NETNS", path);
    EXPECT_ERROR(plugin().check(request("CHECK", path)), Code::kInvalidEnvironment, "CNI_NETNS", path);
  }
}

TEST(Loopback, DelOfASandboxThatIsGoneSucceeds) {
  PARITY("T16 T17");
  for (const char* path : {"", "/nonexistent/ns", "/etc/passwd"}) EXPECT_OK(plugin().del(request("DEL", path))) << path;
}

TEST(Loopback, PrevResultIsCheckedBeforeTheSandboxIsOpened) {
  EXPECT_ERROR(add(request("ADD", "/nonexistent/ns", R"(, "prevResult": {"ips": 5})")), Code::kInvalidConfig,
               "prevResult.ips");
  EXPECT_ERROR(add(request("ADD", "/nonexistent/ns", R"(, "prevResult": {"cniVersion": "0.4.0"})")),
               Code::kInvalidConfig, "prevResult.cniVersion");
}

TEST(Loopback, KeysOfEveryConfigurationHaveTheirTypes) {
  for (const auto& [members, key] :
       {std::pair(R"("ipam": 7)", "ipam"), std::pair(R"("ipam": {"type": 7})", "ipam.type"),
        std::pair(R"("dns": 7)", "dns"), std::pair(R"("dns": {"search": [7]})", "dns.search[0]"),
        std::pair(R"("capabilities": [])", "capabilities"),
        std::pair(R"("capabilities": {"portMappings": 1})", "capabilities.portMappings"),
        std::pair(R"("type": 7)", "type")}) {
    EXPECT_ERROR(add(request("ADD", "/nonexistent/ns", std::string(", ") + members)), Code::kInvalidConfig,
                 "key \"" + std::string(key) + "\"");
  }
}

}  // namespace
}  // namespace cnio::loopback
