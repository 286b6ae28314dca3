// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/inside/inside.hpp"

#include <vector>

#include <nlohmann/json.hpp>

#include "cnio/protocol/version.hpp"

#include "cnioctl/inside/known_plugins.hpp"
#include "cnioctl/inside/positions.hpp"
#include "cnioctl/inside/unknown_keys.hpp"
#include "cnioctl/or_default.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/pools.hpp"
#include "cnioctl/world/setup.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;
using protocol::SpecVersion;

constexpr uint64_t kPodsOfKubelet = 110;

// A plugin of the file, as it gets its configuration.
struct Part {
  std::string path;  // "plugins[0]."; of a single plugin empty
  Json config;
  std::string type;
  const KnownPlugin* plugin;
};

// "ipam.subnet" of `invalid configuration: key "ipam.subnet": must be ...`; empty: it names none.
std::string key_in(const std::string& msg) {
  static constexpr std::string_view kBefore = "key \"";
  const size_t begin = msg.find(kBefore);
  if (begin == std::string::npos) return {};
  const size_t end = msg.find('"', begin + kBefore.size());
  return msg.substr(begin + kBefore.size(), end - begin - kBefore.size());
}

class Inside {
 public:
  Inside(std::string path, const std::string& text, Report& report)
      : file_(std::move(path)), positions_(text), report_(report) {}

  void look(const Json& whole, const std::vector<Json>& configs) {
    list_ = Fields(whole).has("plugins");
    look_at_name(whole);
    look_at_doubled();
    if (list_) look_at_list(whole);
    for (size_t i = 0; i < configs.size(); ++i) look_at_part(part_of(configs[i], i));
    look_at_version(whole);
  }

 private:
  void say(Level level, const std::string& key, const std::string& what, const char* kind) {
    report_.add({level, file_ + ":" + std::to_string(positions_.line_of(key)), what, kind});
  }

  // libcni reads the one as a list and the other as a plugin, whatever is in it.
  void look_at_name(const Json& whole) {
    const bool of_list = file_.ends_with(".conflist");
    if (list_ && !of_list) say(Level::kError, "plugins", "has \"plugins\", but is not called .conflist", "file-name");
    if (!list_ && of_list) say(Level::kError, "", "is called .conflist, but has no \"plugins\"", "file-name");
    if (list_ && Fields(whole).has("type")) say(Level::kWarning, "type", "a list has no type", "unknown-key");
  }

  void look_at_doubled() {
    for (const std::string& key : positions_.doubled()) {
      say(Level::kWarning, key, "key " + quote(key) + " stands there twice: the last one counts", "doubled-key");
    }
  }

  void look_at_list(const Json& whole) {
    const auto plugins = Fields(whole).objects("plugins");
    if (!plugins.ok()) return say(Level::kError, "plugins", plugins.error().msg(), "value");
    if (plugins.value().empty()) say(Level::kError, "plugins", "has no plugins", "value");
    for (const UnknownKey& each : find_unknown_list_keys(whole)) {
      if (each.path != "type") say_unknown("", each);
    }
  }

  [[nodiscard]] Part part_of(const Json& config, size_t number) const {
    const std::string type = or_default(Fields(config).text("type"));
    return {list_ ? "plugins[" + std::to_string(number) + "]." : std::string(), config, type, find_plugin(type)};
  }

  void look_at_part(const Part& part) {
    if (part.type.empty()) return say(Level::kError, part.path + "type", "a plugin without a type", "value");
    if (part.plugin == nullptr) return;  // somebody else's
    const bool sound = parses(*part.plugin, part) && look_at_ipam(part);
    for (const UnknownKey& each : find_unknown_keys(*part.plugin, part.config)) say_unknown(part.path, each);
    if (sound && (part.type == "bridge" || part.type == "ptp")) look_at_sense(part);
  }

  bool parses(const KnownPlugin& plugin, const Part& part) {
    const Status tried = try_config(plugin, part.config);
    if (tried.ok()) return true;
    const std::string key = key_in(tried.error().msg());
    const bool common = list_ && (key == "name" || key == "cniVersion");
    // Each plugin would say it of what all of them get.
    if (common && part.path != "plugins[0].") return false;
    say(Level::kError, common ? key : part.path + key, std::string(plugin.name) + ": " + tried.error().msg(), "value");
    return false;
  }

  bool look_at_ipam(const Part& part) {
    const auto ipam = Fields(part.config).object("ipam");
    if (!ipam.ok() || part.plugin->name == "flannel") return true;
    const KnownPlugin* plugin = find_plugin(or_default(ipam.value().text("type")));
    if (plugin == nullptr) return true;
    // The runtime says which ranges, or which addresses.
    const auto given = Fields(part.config).object("capabilities");
    if (given.ok() && (given.value().has("ipRanges") || given.value().has("ips"))) return true;
    if (!parses(*plugin, part)) return false;
    if (plugin->name == "host-local") look_at_size(part);
    return true;
  }

  void look_at_size(const Part& part) {
    for (const ipam::RangeSet& set : or_default(pools_of(part.config))) {
      if (set.size() >= kPodsOfKubelet) continue;
      say(Level::kNote, part.path + "ipam",
          counted(set.size(), "address") + " in " + set.to_string() + "; the kubelet's default is 110 pods", "small");
    }
  }

  void say_unknown(const std::string& path, const UnknownKey& each) {
    const std::string meant = each.meant.empty() ? "" : "; did you mean " + quote(each.meant) + "?";
    say(Level::kWarning, path + each.path, "unknown key " + quote(each.path) + " is ignored" + meant, "unknown-key");
  }

  void look_at_sense(const Part& part) {
    const Fields fields(part.config);
    for (const char* key : {"ipMasqExclude", "ipMasqOnly", "ipMasqBackend"}) {
      if (fields.has(key) && !or_default(fields.boolean("ipMasq"))) {
        say(Level::kWarning, part.path + key, std::string(key) + " without ipMasq does nothing", "no-effect");
      }
    }
    if (part.type == "bridge") look_at_gateway(part, fields);
  }

  // host-local then says that the gateway is an address which nobody has, unless somebody else was named.
  void look_at_gateway(const Part& part, const Fields& fields) {
    const bool gateway = or_default(fields.boolean("isGateway")) || or_default(fields.boolean("isDefaultGateway"));
    const auto ipam = fields.object("ipam");
    const auto routes = ipam.ok() ? ipam.value().objects("routes") : Result<std::vector<Fields>>(ipam.error());
    const bool routed = routes.ok() && !routes.value().empty();
    const std::string text = protocol::format_json(part.config);
    if (gateway || !routed || text.find("\"gateway\"") != std::string::npos || text.find("\"gw\"") != std::string::npos)
      return;
    say(Level::kWarning, part.path + "ipam.routes",
        "routes, but no gateway: pods have no way out without \"isGateway\"", "no-gateway");
  }

  void look_at_version(const Json& whole) {
    const Fields fields(whole);
    const auto version = protocol::parse_version(or_default(fields.text("cniVersion")));
    if (!version || fields.has("cniVersions") || *version >= SpecVersion::k110) return;
    const std::string missing =
        *version < SpecVersion::k040 ? "no CHECK (0.4.0), no GC and STATUS (1.1.0)" : "no GC and no STATUS (1.1.0)";
    say(Level::kNote, "cniVersion", "cniVersion " + std::string(protocol::to_string(*version)) + ": " + missing,
        "version");
  }

  std::string file_;
  Positions positions_;
  Report& report_;
  bool list_ = false;
};

}  // namespace

void lint_inside(const std::string& path, const std::string& text, Report& report) {
  const auto whole = protocol::parse_json(text);
  const auto configs = plugin_configs(text);
  if (!whole.ok() || !configs.ok()) return;  // that has been said
  Inside(path, text, report).look(whole.value(), configs.value());
}

}  // namespace cnio::cnioctl
