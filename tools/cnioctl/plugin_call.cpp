// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/plugin_call.hpp"

#include <nlohmann/json.hpp>

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;

constexpr int kPatienceMs = 60'000;  // longer than any lock that plugins wait for

// The capabilities that the plugin asks for, and the runtime has given.
Json runtime_config(const Json& plugin, const Json& given) {
  Json out = Json::object();
  const Json* asked = Fields(plugin).find("capabilities");
  if (asked == nullptr || !asked->is_object() || !given.is_object()) return out;
  for (const auto& [name, wanted] : asked->items()) {
    if (wanted == true && given.contains(name)) out[name] = given.at(name);
  }
  return out;
}

Result<std::string> type_of(const Json& plugin) {
  CNIO_LET(std::string type, Fields(plugin).text("type"));
  // It names a file of a folder, and nothing else (CVE-2021-20206).
  if (!type.empty() && type != "." && type != ".." && type.find('/') == std::string::npos) return type;
  return Error::config("type", "names no plugin (got " + quote(type) + ")");
}

Error failure(const std::string& type, const ProcessResult& ended) {
  const auto answer = protocol::parse_json(ended.out);
  const Json none = Json::object();
  const Json& object = answer.ok() && answer.value().is_object() ? answer.value() : none;
  const auto code = object.find("code");
  const auto msg = object.find("msg");
  if (code == object.end() || !code->is_number_unsigned() || msg == object.end() || !msg->is_string()) {
    return Error::make(Code::kDelegate, type + ": " + ended.how_it_ended() + ", without a reason");
  }
  const auto number = code->get<uint64_t>();
  const bool known = number <= static_cast<uint64_t>(Code::kInternal);
  return Error::make(known ? static_cast<Code>(number) : Code::kDelegate, msg->get<std::string>(),
                     object.value("details", ""));
}

std::vector<std::string> environment_of(const Plugins& plugins, const Remembered& of, const std::string& command) {
  std::vector<std::string> out = {"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + of.who.attachment.container_id,
                                  "CNI_NETNS=" + of.netns, "CNI_IFNAME=" + of.who.attachment.ifname,
                                  "CNI_PATH=" + plugins.folders};
  if (!of.args.empty()) out.push_back("CNI_ARGS=" + of.args);
  // For busctl, which is how the firewall plugin speaks to firewalld.
  for (const char* name : {"PATH", "DBUS_SYSTEM_BUS_ADDRESS"}) {
    const std::string value = plugins.environment.get(name);
    if (!value.empty()) out.push_back(std::string(name) + "=" + value);
  }
  return out;
}

}  // namespace

Result<std::string> input_of(const Remembered& of, size_t number) {
  Json config = of.plugins.at(number);
  config["name"] = of.who.network;
  if (!of.version.empty()) config["cniVersion"] = of.version;
  if (!of.result.is_null()) config["prevResult"] = of.result;
  Json runtime = runtime_config(config, of.capabilities);
  if (!runtime.empty()) config["runtimeConfig"] = std::move(runtime);
  return protocol::format_json(config);
}

Result<PluginCall> PluginCall::start(const Plugins& plugins, const Remembered& of, size_t number,
                                     const std::string& command) {
  CNIO_LET(std::string type, type_of(of.plugins.at(number)));
  CNIO_LET(std::string input, input_of(of, number));
  PluginCall call(std::move(type), std::move(input));
  const std::string path = find_executable(plugins.folders, call.type_);
  if (path.empty())
    return Error::make(Code::kDelegate, "the plugin " + quote(call.type_) + " is not in " + plugins.folders);
  CNIO_LET(call.process_, RunningProcess::start({.path = path,
                                                 .args = {path},
                                                 .environment = environment_of(plugins, of, command),
                                                 .stdin_data = call.input_}));
  return call;
}

Result<std::string> PluginCall::finish() {
  CNIO_LET(ProcessResult ended, process_->finish(kPatienceMs));
  if (!ended.success()) return failure(type_, ended);
  return std::move(ended.out);
}

}  // namespace cnio::cnioctl
