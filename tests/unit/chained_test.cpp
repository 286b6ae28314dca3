// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/chained.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/matchers.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;

protocol::Request request_of(const std::string& members, const std::string& version = "1.1.0") {
  const protocol::Environment environment({"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none",
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin"});
  protocol::Request request = protocol::parse_environment(environment).value();
  request.plugin = "meta";
  const std::string text = R"({"cniVersion": ")" + version + R"(", "name": "n", "type": "meta")" + members + "}";
  EXPECT_OK(protocol::parse_stdin(request, text));
  return request;
}

constexpr char kPrevResult[] = R"(, "prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "br0"},
    {"name": "veth1"}, {"name": "eth0", "sandbox": "/run/netns/none"}, {"name": "eth1", "sandbox": "/run/netns/none"}],
    "ips": [{"address": "10.1.0.1/24", "interface": 0}, {"address": "10.1.0.2/24", "interface": 2},
            {"address": "10.2.0.2/24", "interface": 3}, {"address": "fd01::2/64"}]})";

TEST(Chained, AddNeedsWhatOthersHaveMade) {
  bool made = false;
  const auto result = add_to_chain(request_of(""), [&](AddResult&) -> Status {
    made = true;
    return {};
  });
  EXPECT_ERROR(result, Code::kInvalidConfig);
  EXPECT_THAT(result.error().msg(), testing::HasSubstr("\"prevResult\""));
  EXPECT_FALSE(made);
}

TEST(Chained, AddPassesOnWhatOthersHaveMade) {
  const auto result = add_to_chain(request_of(kPrevResult), [](AddResult& so_far) -> Status {
    so_far.dns.domain = "example.org";
    return {};
  });
  ASSERT_OK(result);
  EXPECT_EQ(result.value().ips.size(), 4);
  EXPECT_EQ(result.value().dns.domain, "example.org");
}

TEST(Chained, AddMakesNothingIfTheAnswerCannotBeWritten) {
  bool made = false;
  const auto result =
      add_to_chain(request_of(R"(, "prevResult": {"cniVersion": "0.2.0"})", "0.2.0"), [&](AddResult&) -> Status {
        made = true;
        return {};
      });
  EXPECT_ERROR(result, Code::kUnsupportedField);
  EXPECT_FALSE(made);
}

TEST(Chained, CheckNeedsTheResult) {
  EXPECT_ERROR(check_in_chain(request_of(""), [](const AddResult&) { return Status(); }), Code::kInvalidConfig);
  EXPECT_OK(check_in_chain(request_of(kPrevResult), [](const AddResult&) { return Status(); }));
}

TEST(Chained, DelTakesABrokenResultForNone) {
  EXPECT_FALSE(readable_prev_result(request_of(R"(, "prevResult": {"ips": 3})")));
  EXPECT_FALSE(readable_prev_result(request_of("")));
  EXPECT_TRUE(readable_prev_result(request_of(kPrevResult)));
}

TEST(Chained, StatusSaysUnavailable) {
  EXPECT_OK(status_of({}));
  EXPECT_ERROR(status_of(Error::make(Code::kKernel, "no")), Code::kNotAvailable);
  EXPECT_ERROR(status_of(Error::make(Code::kLimited, "no")), Code::kLimited);
  EXPECT_ERROR(status_of(Error::make(Code::kInvalidConfig, "no")), Code::kInvalidConfig);
}

TEST(Chained, GcNeedsTheList) {
  const auto collect = [](const std::vector<protocol::Attachment>& valid) -> Status {
    EXPECT_EQ(valid.size(), 1);
    return {};
  };
  EXPECT_ERROR(collect_garbage(request_of(""), collect), Code::kInvalidConfig);
  const std::string list = R"(, "cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}])";
  EXPECT_OK(collect_garbage(request_of(list), collect));
}

TEST(Chained, AddressesOfHostAndOtherInterfacesAreNotTheContainers) {
  const auto result = readable_prev_result(request_of(kPrevResult));
  ASSERT_TRUE(result);
  EXPECT_THAT(addresses_of_container(*result, {"c1", "eth0"}),
              testing::ElementsAre(*Cidr::parse("10.1.0.2/24"), *Cidr::parse("fd01::2/64")));
}

}  // namespace
}  // namespace cnio::attachment
