// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/chain.hpp"

#include <filesystem>
#include <stdexcept>

namespace cnio::test {

Outcome Chain::call(const std::string& verb, const Json& plugin, const Json& previous,
                    const Attachment& attachment) const {
  Json config = plugin;
  config["cniVersion"] = version_;
  config["name"] = name_;
  if (!previous.is_null()) config["prevResult"] = previous;
  for (const auto& [capability, value] : runtime_) {
    if (plugin.value("capabilities", Json::object()).value(capability, false))
      config["runtimeConfig"][capability] = value;
  }
  const auto type = plugin.at("type").get<std::string>();
  Command command = plugin_command({type, verb, attachment, config.dump()});
  std::string path;
  bool found = false;
  for (const std::string& folder : folders_) {
    path += (path.empty() ? "" : ":") + folder;
    if (found || !std::filesystem::exists(folder + "/" + type)) continue;
    command.argv = {folder + "/" + type};
    found = true;
  }
  command.env["CNI_PATH"] = path;
  return run(command);
}

Json Chain::add(const Attachment& attachment) {
  results_.clear();
  Json previous;
  for (const Json& plugin : plugins_) {
    const Outcome outcome = call("ADD", plugin, previous, attachment);
    if (outcome.exit_code != 0) throw std::runtime_error("ADD of " + plugin.dump() + ": " + describe(outcome));
    previous = Json::parse(outcome.out);
    results_.push_back(previous);
  }
  return previous;
}

::testing::AssertionResult Chain::check(const Attachment& attachment) const {
  for (const Json& plugin : plugins_) {
    const Outcome outcome = call("CHECK", plugin, results_.back(), attachment);
    if (outcome.exit_code != 0) return ::testing::AssertionFailure() << plugin.dump() << ": " << describe(outcome);
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult Chain::del(const Attachment& attachment) const {
  for (auto plugin = plugins_.rbegin(); plugin != plugins_.rend(); ++plugin) {
    const Outcome outcome = call("DEL", *plugin, results_.back(), attachment);
    if (outcome.exit_code != 0) return ::testing::AssertionFailure() << plugin->dump() << ": " << describe(outcome);
  }
  return ::testing::AssertionSuccess();
}

}  // namespace cnio::test
