// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/plugin.hpp"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace cnio::test {
namespace {

std::string place(const char* variable, const char* built_in) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : built_in;
}

/// CNIO_JUDGE=reference: run the suite over the reference implementation, whose errors lack cniVersion, carry code 999
/// for nearly everything and use other words. What then still fails is a deliberate difference or a wrong test.
bool judging_reference() { return place("CNIO_JUDGE", "") == "reference"; }

void set_unless_empty(std::map<std::string, std::string>& env, const std::string& name, const std::string& value) {
  if (!value.empty()) env[name] = value;
}

Outcome call(const std::string& command, const Json& config, const Attachment& attachment) {
  return run(plugin_command({config.at("type").get<std::string>(), command, attachment, config.dump()}));
}

}  // namespace

std::string plugin_dir() { return place("CNIO_PLUGIN_DIR", CNIO_STAGED_PLUGINS); }
std::string examples_dir() { return place("CNIO_EXAMPLES_DIR", CNIO_STAGED_EXAMPLES); }
std::string test_data_dir() { return place("CNIO_TEST_DATA_DIR", CNIO_TEST_DATA); }
std::string fake_ipam_program() { return place("CNIO_FAKE_IPAM", CNIO_FAKE_IPAM_PROGRAM); }

std::vector<std::string> all_plugins() {
  std::vector<std::string> names;
  std::istringstream list(CNIO_PLUGINS);
  for (std::string name; list >> name;) names.push_back(name);
  return names;
}

int rounds(int many) { return place("CNIO_FEWER_ROUNDS", "").empty() ? many : many / 30 + 2; }

std::string reference_dir() {
  std::string folder = place("CNIO_REFERENCE_DIR", "/usr/lib/cni");
  if (std::filesystem::exists(folder + "/host-local")) return folder;
  throw std::runtime_error("no reference plugins in " + folder +
                           ": install containernetworking-plugins or set CNIO_REFERENCE_DIR");
}

Command plugin_command(const Call& call) {
  Command command;
  command.argv = {plugin_dir() + "/" + call.plugin};
  command.stdin_text = call.config;
  set_unless_empty(command.env, "CNI_COMMAND", call.command);
  set_unless_empty(command.env, "CNI_CONTAINERID", call.attachment.container);
  set_unless_empty(command.env, "CNI_NETNS", call.attachment.netns);
  set_unless_empty(command.env, "CNI_IFNAME", call.attachment.ifname);
  set_unless_empty(command.env, "CNI_ARGS", call.attachment.args);
  command.env["CNI_PATH"] = plugin_dir();
  return command;
}

Outcome add(const Json& config, const Attachment& attachment) { return call("ADD", config, attachment); }
Outcome del(const Json& config, const Attachment& attachment) { return call("DEL", config, attachment); }
Outcome check(const Json& config, const Attachment& attachment) { return call("CHECK", config, attachment); }
Outcome status(const Json& config) { return call("STATUS", config, {"", "", "", ""}); }
Outcome gc(const Json& config) { return call("GC", config, {"", "", "", ""}); }

Json must_add(const Json& config, const Attachment& attachment) {
  const Outcome outcome = add(config, attachment);
  if (outcome.exit_code != 0) throw std::runtime_error("ADD failed: " + describe(outcome));
  return Json::parse(outcome.out);
}

void must_del(const Json& config, const Attachment& attachment) {
  const Outcome outcome = del(config, attachment);
  if (outcome.exit_code != 0) throw std::runtime_error("DEL failed: " + describe(outcome));
}

Json with_prev_result(Json config, const Json& result) {
  config["prevResult"] = result;
  return config;
}

::testing::AssertionResult succeeded(const Outcome& outcome) {
  if (outcome.exit_code == 0 && !outcome.timed_out) return ::testing::AssertionSuccess() << describe(outcome);
  return ::testing::AssertionFailure() << describe(outcome);
}

::testing::AssertionResult succeeded_silently(const Outcome& outcome) {
  if (!succeeded(outcome) || outcome.out.empty()) return succeeded(outcome);
  return ::testing::AssertionFailure() << "unexpected output: " << describe(outcome);
}

::testing::AssertionResult failed(const Outcome& outcome, int code, const std::vector<std::string>& words) {
  const auto wrong = [&](const std::string& what) {
    return ::testing::AssertionFailure() << what << ": " << describe(outcome);
  };
  if (outcome.timed_out) return wrong("did not end");
  if (outcome.exit_code != 1) return wrong("expected exit code 1");
  const Json error = Json::parse(outcome.out, nullptr, false);
  if (!error.is_object()) return wrong("stdout is not exactly one JSON object");
  for (const auto& [key, value] : error.items()) {
    if (key != "cniVersion" && key != "code" && key != "msg" && key != "details") return wrong("unknown key " + key);
  }
  if (!error.contains("code") || !error["code"].is_number_integer()) return wrong("no code");
  if (judging_reference() && (error["code"] == code || error["code"] == 999)) return ::testing::AssertionSuccess();
  if (!error.contains("cniVersion") || !error["cniVersion"].is_string()) return wrong("no cniVersion");
  if (error["code"] != code) return wrong("expected code " + std::to_string(code));
  if (!error.contains("msg") || !error["msg"].is_string() || error["msg"] == "") return wrong("no msg");
  if (error.contains("details") && (!error["details"].is_string() || error["details"] == ""))
    return wrong("bad details");
  const std::string text = error["msg"].get<std::string>() + "\n" + error.value("details", "");
  if (error["msg"].get<std::string>().find('\n') != std::string::npos) return wrong("msg has more than one line");
  for (const std::string& word : words) {
    if (text.find(word) == std::string::npos) return wrong("the message does not hold \"" + word + "\"");
  }
  return ::testing::AssertionSuccess() << describe(outcome);
}

}  // namespace cnio::test
