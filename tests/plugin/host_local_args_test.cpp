// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// CNI_ARGS, one string for the whole chain: bridge and its IPAM plugin each take their keys and leave the other's and
// the runtime's alone.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

const std::string kKubernetes =
    "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=0123;K8S_POD_UID=3b2c-77";

class CniArgs : public BridgeTest, public ::testing::WithParamInterface<std::string> {
 protected:
  /// bridge alone on layer 2, bridge with host-local, or host-local alone.
  static Json config() {
    return GetParam() == "bridge" ? bridge_config() : GetParam() == "layer2" ? layer2_config() : host_local_config();
  }

  static Attachment with_args(const std::string& args) {
    Attachment attachment = pod();
    attachment.args = args;
    return attachment;
  }

  /// ADD, CHECK and DEL with these arguments, of which all must succeed; the result.
  static Json whole_life(const std::string& args) {
    const Attachment attachment = with_args(args);
    const Json result = must_add(config(), attachment);
    EXPECT_TRUE(succeeded_silently(check(with_prev_result(config(), result), attachment))) << args;
    EXPECT_TRUE(succeeded_silently(del(config(), attachment))) << args;
    return result;
  }
};

INSTANTIATE_TEST_SUITE_P(Plugins, CniArgs, ::testing::Values("bridge", "layer2", "host_local"),
                         [](const auto& test) { return test.param; });

TEST_P(CniArgs, OfKubernetesWorkWithAndWithoutIgnoreUnknown) {
  PARITY("T18");
  for (const std::string& args : {kKubernetes, "IgnoreUnknown=1;" + kKubernetes, kKubernetes + ";IgnoreUnknown=true",
                                  "IgnoreUnknown=0;" + kKubernetes}) {
    whole_life(args);
  }
}

TEST_P(CniArgs, OfBothPluginsMayStandTogether) {
  PARITY("T29 T79 D32");
  const Json result = whole_life("IP=10.1.0.77;GATEWAY=10.1.0.1;MAC=02:00:00:00:00:77;" + kKubernetes);
  if (GetParam() != "layer2") {
    EXPECT_EQ(result.at("ips").at(0).at("address"), "10.1.0.77/24");
  }
  if (GetParam() != "host_local") {
    EXPECT_EQ(result.at("interfaces").at(2).at("mac"), "02:00:00:00:00:77");
  }
}

TEST_P(CniArgs, OfNobodyAreAnErrorOfAddAndCheck) {
  PARITY("T18 D43");
  const Json added = with_prev_result(config(), must_add(config(), pod()));
  const Snapshot before = Snapshot::of_host();
  const std::vector<std::string> wrong{
      "FOO=BAR", "FOO=BAR;" + kKubernetes, "IgnoreUnknown=0;FOO=1", "k8s_pod_name=FOO", "ip=FOO", "mac=FOO"};
  for (const std::string& args : wrong) {
    Attachment attachment = with_args(args);
    EXPECT_TRUE(failed(check(added, attachment), code::kEnvironment, {"CNI_ARGS", "FOO"})) << args;
    attachment.ifname = "eth1";
    EXPECT_TRUE(failed(add(config(), attachment), code::kEnvironment, {"CNI_ARGS", "FOO"})) << args;
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_P(CniArgs, OfNobodyPassWithIgnoreUnknown) {
  PARITY("T18");
  for (const char* args :
       {"FOO=BAR;IgnoreUnknown=1", "IgnoreUnknown=TRUE;FOO=BAR;Bar=", "IgnoreUnknown=1;ip=x;mac=y"}) {
    whole_life(args);
  }
}

TEST_P(CniArgs, StatusAndGcDoNotReadThem) {
  PARITY("T18");
  for (const char* verb : {"STATUS", "GC"}) {
    Json asked = config();
    if (std::string(verb) == "GC") asked = with_valid_attachments(asked, {});
    Command command = plugin_command({asked.at("type").get<std::string>(), verb, {"", "", "", ""}, asked.dump()});
    command.env["CNI_ARGS"] = "FOO=BAR";
    EXPECT_TRUE(succeeded_silently(run(command))) << verb;
  }
}

}  // namespace
}  // namespace cnio::test
