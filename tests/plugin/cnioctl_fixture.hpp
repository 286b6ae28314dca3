// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "plugin/attachment_fixture.hpp"
#include "support/tool.hpp"

namespace cnio::test {

/// A node as runtimes leave it: pods of lists, which libcni has written down.
class CnioctlTest : public AttachmentTest {
 protected:
  CnioctlTest() { std::filesystem::create_directories(kCache); }

  static constexpr char kCache[] = "/var/lib/cni/results";
  static constexpr char kPlan[] = "/run/plan.json";

  struct Pod {
    Attachment attachment;
    Json list;
    Json result;
  };

  static Json list_of(std::vector<Json> plugins, const std::string& name = "net") {
    for (Json& each : plugins) {
      each.erase("name");
      each.erase("cniVersion");
    }
    return {{"cniVersion", "1.1.0"}, {"name", name}, {"plugins", std::move(plugins)}};
  }
  /// bridge with all that it can make, and the plugins that come after it.
  static Json full_list(const std::string& name = "net") {
    return list_of({full_config(),
                    {{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}},
                    {{"type", "firewall"}, {"ingressPolicy", "same-bridge"}}},
                   name);
  }
  static Json capabilities(int port) {
    return {{"portMappings", {{{"hostPort", port}, {"containerPort", 80}, {"protocol", "tcp"}}}}};
  }

  /// As libcni adds it: with a record of it, and Kubernetes' arguments.
  static Pod add_pod(const Json& list, const std::string& id, int port = 0, bool cached = true) {
    Pod out{pod(id), list, {}};
    for (const Json& plugin : list.at("plugins")) {
      const Outcome outcome = call("ADD", out, plugin, port);
      if (outcome.exit_code != 0) throw std::runtime_error("ADD: " + describe(outcome));
      out.result = Json::parse(outcome.out);
    }
    if (cached) write_file(cache_file(list, id), record_of(out, port).dump());
    return out;
  }
  static std::string cache_file(const Json& list, const std::string& id) {
    return std::string(kCache) + "/" + list.at("name").get<std::string>() + "-" + id + "-eth0";
  }
  static ::testing::AssertionResult checks(const Pod& of, int port = 0) {
    for (const Json& plugin : of.list.at("plugins")) {
      const Outcome outcome = call("CHECK", of, plugin, port);
      if (outcome.exit_code != 0) return ::testing::AssertionFailure() << describe(outcome);
    }
    return ::testing::AssertionSuccess();
  }

  static Outcome cnioctl(std::vector<std::string> words) {
    words.insert(words.begin(), tool("cnioctl"));
    Command command{words};
    return run(command);
  }
  /// `gc` and `resync` of this node.
  static Outcome act(std::vector<std::string> words) {
    words.insert(words.end(), {"--bin", plugin_dir()});
    return cnioctl(std::move(words));
  }
  static Outcome plan(std::vector<std::string> words = {}) {
    words.insert(words.begin(), {"gc", "--dry-run", "-o", kPlan});
    return act(std::move(words));
  }
  static Outcome apply() { return act({"gc", "--apply", kPlan}); }
  static Json plan_file() { return Json::parse(read_file(kPlan)).at("gc"); }

  /// Its namespace goes, and nobody is told.
  static void lose(const std::string& id) {
    delete_netns(id);
    ASSERT_TRUE(happens([&] {
      return ip_json({"link", "show", "type", "veth"}).dump().find(id + "/eth0") == std::string::npos;
    }));
  }

 private:
  static Outcome call(const std::string& verb, const Pod& of, Json config, int port) {
    config["name"] = of.list.at("name");
    config["cniVersion"] = of.list.at("cniVersion");
    if (!of.result.is_null()) config["prevResult"] = of.result;
    if (port != 0 && config.contains("capabilities")) config["runtimeConfig"] = capabilities(port);
    return run(plugin_command({config.at("type").get<std::string>(), verb, of.attachment, config.dump()}));
  }
  static Json record_of(const Pod& of, int port) {
    Json record = {{"kind", "cniCacheV1"},
                   {"containerId", of.attachment.container},
                   {"config", base64(of.list.dump())},
                   {"ifName", of.attachment.ifname},
                   {"networkName", of.list.at("name")},
                   {"netns", of.attachment.netns},
                   {"cniArgs", Json::array()},
                   {"result", of.result}};
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, std::string>>{{"IgnoreUnknown", "1"},
                                                          {"K8S_POD_NAMESPACE", "default"},
                                                          {"K8S_POD_NAME", "pod-" + of.attachment.container}}) {
      record["cniArgs"].push_back(Json::array({name, value}));
    }
    if (port != 0) record["capabilityArgs"] = capabilities(port);
    return record;
  }
  static std::string base64(const std::string& text) {
    std::string out = must_feed({"base64", "-w0"}, text);
    return out;
  }
};

}  // namespace cnio::test
