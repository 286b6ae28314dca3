// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/plugin_call.hpp"

#include <nlohmann/json.hpp>

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;

constexpr int kPatienceMs = 60'000;    // longer than any lock that plugins wait for
constexpr int kPatienceMoreMs = 5000;  // for each attachment more

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

// The error that an answer is, if it is one.
std::optional<Error> error_in(const std::string& text) {
  const auto answer = protocol::parse_json(text);
  if (!answer.ok() || !answer.value().is_object()) return std::nullopt;
  const Json& object = answer.value();
  const auto code = object.find("code");
  const auto msg = object.find("msg");
  if (code == object.end() || !code->is_number_unsigned() || msg == object.end() || !msg->is_string()) {
    return std::nullopt;
  }
  const auto number = code->get<uint64_t>();
  const bool known = number <= static_cast<uint64_t>(Code::kInternal);
  return Error::make(known ? static_cast<Code>(number) : Code::kDelegate, msg->get<std::string>(),
                     object.value("details", ""));
}

Error without_reason(const std::string& type, const ProcessResult& ended) {
  return Error::make(Code::kDelegate, type + ": " + ended.how_it_ended() + ", without a reason");
}

// Nothing if it is no answer to a line.
std::optional<Result<std::string>> answer_in(const std::string& text) {
  if (auto error = error_in(text)) return Result<std::string>(*std::move(error));
  const auto answer = protocol::parse_json(text);
  const bool is_one = answer.ok() && answer.value().is_object() && answer.value().contains("repaired");
  return is_one ? std::optional<Result<std::string>>(text) : std::nullopt;
}

Result<std::string> find_plugin(const Plugins& plugins, const std::string& type) {
  std::string path = find_executable(plugins.folders, type);
  if (!path.empty()) return path;
  return Error::make(Code::kDelegate, "the plugin " + quote(type) + " is not in " + plugins.folders);
}

// Of any call.
std::vector<std::string> environment_of(const Plugins& plugins, std::string_view command) {
  std::vector<std::string> out = {std::string("CNI_COMMAND=").append(command), "CNI_PATH=" + plugins.folders};
  // For busctl, which is how the firewall plugin speaks to firewalld.
  for (const char* name : {"PATH", "DBUS_SYSTEM_BUS_ADDRESS"}) {
    const std::string value = plugins.environment.get(name);
    if (!value.empty()) out.push_back(std::string(name) + "=" + value);
  }
  return out;
}

std::vector<std::string> environment_of(const Plugins& plugins, const Remembered& of, const std::string& command) {
  std::vector<std::string> out = environment_of(plugins, command);
  out.push_back("CNI_CONTAINERID=" + of.who.attachment.container_id);
  out.push_back("CNI_NETNS=" + of.netns);
  out.push_back("CNI_IFNAME=" + of.who.attachment.ifname);
  if (!of.args.empty()) out.push_back("CNI_ARGS=" + of.args);
  return out;
}

}  // namespace

Result<std::string> type_of(const Remembered& of, size_t number) {
  CNIO_LET(std::string type, Fields(of.plugins.at(number)).text("type"));
  // It names a file of a folder, and nothing else (CVE-2021-20206).
  if (!type.empty() && type != "." && type != ".." && type.find('/') == std::string::npos) return type;
  return Error::config("type", "names no plugin (got " + quote(type) + ")");
}

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
  CNIO_LET(std::string type, type_of(of, number));
  CNIO_LET(std::string input, input_of(of, number));
  PluginCall call(std::move(type), std::move(input));
  CNIO_LET(const std::string path, find_plugin(plugins, call.type_));
  CNIO_LET(call.process_, RunningProcess::start({.path = path,
                                                 .args = {path},
                                                 .environment = environment_of(plugins, of, command),
                                                 .stdin_data = call.input_}));
  return call;
}

Result<std::string> PluginCall::finish() {
  CNIO_LET(ProcessResult ended, process_->finish(kPatienceMs));
  if (ended.success()) return std::move(ended.out);
  return error_in(ended.out).value_or(without_reason(type_, ended));
}

Result<protocol::RepairLine> repair_line(const Remembered& of, size_t number) {
  CNIO_LET(std::string config, input_of(of, number));
  return protocol::RepairLine{of.who.attachment, of.netns, of.args, std::move(config)};
}

Result<RepairCall> RepairCall::start(const Plugins& plugins, const std::string& type, std::string lines, size_t count) {
  CNIO_LET(const std::string path, find_plugin(plugins, type));
  RepairCall call(type, std::move(lines), count);
  CNIO_LET(call.process_, RunningProcess::start({.path = path,
                                                 .args = {path},
                                                 .environment = environment_of(plugins, protocol::kRepairEachCommand),
                                                 .stdin_data = call.lines_}));
  return call;
}

Result<std::optional<std::vector<Result<std::string>>>> RepairCall::finish() {
  CNIO_LET(const ProcessResult ended, process_->finish(kPatienceMs + static_cast<int>(count_ - 1) * kPatienceMoreMs));
  std::vector<Result<std::string>> answers;
  // What it says of one is no failure of its own.
  const bool refused = !ended.success() && error_in(ended.out);
  for (std::string_view rest = ended.out; answers.size() < count_ && !refused;) {
    const size_t end = rest.find('\n');
    auto answer = end == std::string_view::npos ? std::nullopt : answer_in(std::string(rest.substr(0, end)));
    if (!answer) break;
    answers.push_back(*std::move(answer));
    rest.remove_prefix(end + 1);
  }
  if (answers.empty() && ended.signal == 0) return std::optional<std::vector<Result<std::string>>>();
  while (answers.size() < count_) answers.emplace_back(without_reason(type_, ended));
  return std::optional(std::move(answers));
}

}  // namespace cnio::cnioctl
