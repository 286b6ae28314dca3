// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/twin.hpp"

#include <algorithm>
#include <filesystem>
#include <linux/magic.h>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "support/snapshot.hpp"

namespace cnio::test {
namespace {

const std::regex kMac{"[0-9a-f]{2}(:[0-9a-f]{2}){5}"};
const std::regex kHostEnd{"veth[0-9a-f]{8}"};

// What the kernel changes by itself, in its own time.
bool is_volatile(const std::string& key) {
  static const std::set<std::string> kKeys{"id", "no", "designated_port", "state", "root_port"};
  return kKeys.count(key) != 0 || key.find("timer") != std::string::npos || key.ends_with("_id") ||
         key.find("topology") != std::string::npos;
}

Json steady(const Json& object) {
  Json kept = Json::object();
  for (const auto& [key, value] : object.items()) {
    if (!is_volatile(key)) kept[key] = value;
  }
  return kept;
}

bool has_flag(const Json& link, const std::string& flag) {
  const Json flags = link.value("flags", Json::array());
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

std::string mode_of(const std::filesystem::path& path) {
  struct stat status {};
  ::lstat(path.c_str(), &status);
  std::ostringstream digits;
  digits << std::oct << (status.st_mode & 07777U);
  return digits.str();
}

/// False for a namespace that was unmounted or removed.
bool is_namespace(const std::string& path) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == NSFS_MAGIC;
}

}  // namespace

std::string side_dir(Side side) { return side == Side::kOurs ? plugin_dir() : reference_dir(); }

bool reference_is_new() {
  Command command;
  command.argv = {reference_dir() + "/bridge"};
  return run(command).err.find("1.1.0") != std::string::npos;
}

Outcome Twin::shell(std::string line) const {
  for (const auto& [name, alias] : names_) replace_all(line, alias, name);
  Command command;
  command.argv = {"sh", "-ec", line};
  return run(command);
}

void Twin::add_pod(const std::string& id) {
  if (pods_.count(id) == 0) pods_[id] = add_netns(id);
}

Outcome Twin::call_raw(const std::string& verb, const Attachment& attachment, const std::string& plugin,
                       const std::string& text, const std::map<std::string, std::string>& env) const {
  Command command = plugin_command({plugin, verb, attachment, text});
  command.argv = {side_dir(side_) + "/" + plugin};
  command.env["CNI_PATH"] = side_dir(side_) + ":" + reference_dir();  // static, for instance
  for (const auto& [name, value] : env) {
    command.env[name] = value;
    if (value.empty()) command.env.erase(name);
  }
  return run(command);
}

Outcome Twin::call(const std::string& verb, const Attachment& attachment, const Json& config,
                   const std::map<std::string, std::string>& env) {
  const std::string key = attachment.container + "/" + attachment.ifname;
  Json full = config;
  if ((verb == "CHECK" || verb == "DEL") && results_.count(key) != 0 && !config.contains("prevResult")) {
    full["prevResult"] = results_[key];
  }
  Outcome outcome = call_raw(verb, attachment, full.at("type").get<std::string>(), full.dump(), env);
  if (verb == "ADD" && outcome.exit_code == 0) results_[key] = Json::parse(outcome.out, nullptr, false);
  return outcome;
}

void Twin::learn_names(const std::map<std::string, Json>& links) {
  const Json& host = links.at("host");
  for (const auto& [id, inside] : links) {
    if (id == "host") continue;
    for (const Json& inner : inside) {
      for (const Json& outer : host) {
        const auto name = outer.at("ifname").get<std::string>();
        if (inner.value("link_index", -1) == outer.at("ifindex") && std::regex_match(name, kHostEnd)) {
          names_[name] = "<host end of " + id + "/" + inner.at("ifname").get<std::string>() + ">";
        }
      }
    }
  }
  for (const Json& link : host) {
    const auto name = link.at("ifname").get<std::string>();
    if (names_.count(name) != 0 || !std::regex_match(name, kHostEnd)) continue;
    names_[name] = "<pair of " + link.value("link", "nobody") + ">";
  }
}

std::string Twin::named(std::string text) const {
  for (const auto& [name, alias] : names_) replace_all(text, name, alias);
  if (text.find(" sysctl ") != std::string::npos) return text;  // many, and they hold no MAC
  std::string out;
  std::sregex_iterator next(text.begin(), text.end(), kMac);
  std::size_t end = 0;
  for (; next != std::sregex_iterator(); ++next) {
    const bool known = fixed_macs_.count(next->str()) != 0 || next->str() == "00:00:00:00:00:00";
    out += text.substr(end, static_cast<std::size_t>(next->position()) - end) + (known ? next->str() : "<MAC>");
    end = static_cast<std::size_t>(next->position() + next->length());
  }
  return out + text.substr(end);
}

std::string Twin::named_result(const std::string& text) const {
  std::string out = text;
  const Json result = Json::parse(text, nullptr, false);
  if (!result.is_object()) return named(out);
  for (const Json& entry : result.value("interfaces", Json::array())) {
    const std::string mac = entry.value("mac", "");
    const std::string netns = entry.value("sandbox", "");
    const Json link = find_link(entry.value("name", ""), netns);
    if (mac.empty() || fixed_macs_.count(mac) != 0) continue;
    if (link.is_null() || link.value("address", "") != mac) replace_all(out, mac, "<not its MAC>");
  }
  return named(out);
}

void Twin::add_links(const std::string& where, const Json& links, std::vector<std::string>& lines) {
  for (const Json& link : links) {
    const auto name = link.at("ifname").get<std::string>();
    const std::string subject = where + " " + name + " ";
    for (const char* key : {"address", "mtu", "master", "ifalias", "txqlen", "altnames"}) {
      if (link.contains(key)) lines.push_back(subject + key + " " + link[key].dump());
    }
    for (const char* flag : {"UP", "PROMISC"}) {
      if (has_flag(link, flag)) lines.push_back(subject + flag);
    }
    const Json info = link.value("linkinfo", Json::object());
    lines.push_back(subject + "kind " + info.value("info_kind", "none"));
    for (const char* part : {"info_data", "info_slave_data"}) {
      if (info.contains(part)) lines.push_back(subject + part + " " + steady(info[part]).dump());
    }
    for (const Json& address : link.value("addr_info", Json::array())) {
      Json kept;
      for (const char* key : {"local", "prefixlen", "broadcast", "scope"}) {
        if (address.contains(key)) kept[key] = address[key];
      }
      if (made_by_kernel(kept.dump())) continue;
      lines.push_back(subject + "has " + kept.dump());
      // On the host it depends on when one looks.
      if (where != "host" && address.value("tentative", false)) lines.push_back(subject + "tentative " + kept.dump());
      if (address.value("nodad", false)) lines.push_back(subject + "nodad " + kept.dump());
    }
  }
}

void Twin::add_routes(const std::string& where, const std::string& netns, std::vector<std::string>& lines) {
  for (const char* family : {"-4", "-6"}) {
    for (Json route : ip_json({family, "route", "show", "table", "all"}, netns)) {
      route.erase("flags");  // linkdown comes and goes with the carrier
      // Follows from an address, a moment after that has lost the flag tentative.
      if (family == std::string("-6") && route.value("type", "") == "local") continue;
      if (!made_by_kernel(route.dump())) lines.push_back(where + " route " + route.dump());
    }
  }
}

void Twin::add_sysctls(const std::string& where, const std::string& netns, std::vector<std::string>& lines) {
  Command command;
  command.argv = {
      "grep", "-rsv", "^$", "/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf", "/proc/sys/net/ipv4/ip_forward"};
  command.netns = netns;
  std::istringstream values(run(command).out);  // some cannot be read, which is no matter
  for (std::string line; std::getline(values, line);) {
    lines.push_back(where + " sysctl " + line.substr(std::string("/proc/sys/net/").size()));
  }
}

void Twin::add_rules(const std::string& where, const std::string& netns, std::vector<std::string>& lines) {
  for (const std::string& object : nft_objects(netns)) lines.push_back(where + " nft " + object);
}

void Twin::add_tree(const std::string& folder, std::vector<std::string>& lines) {
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path();
    // Locks, and what we keep for ourselves until the next boot.
    if (path.starts_with("/run/cnio") || path == "/run/xtables.lock") continue;
    if (path.starts_with("/run/netns") || path.starts_with("/run/test")) continue;
    std::string text = path + " mode " + mode_of(entry.path());
    if (entry.is_regular_file())
      text += " " + Json(read_file(path)).dump(-1, ' ', true, Json::error_handler_t::replace);
    lines.push_back("file " + text);
  }
}

std::vector<std::string> Twin::state() {
  std::map<std::string, std::string> places = pods_;
  std::erase_if(places, [](const auto& pod) { return !is_namespace(pod.second); });
  places["host"] = "";
  std::map<std::string, Json> links;
  for (const auto& [where, netns] : places) links[where] = ip_json({"addr", "show"}, netns);
  learn_names(links);
  std::vector<std::string> lines;
  for (const auto& [where, netns] : places) {
    add_links(where, links[where], lines);
    add_routes(where, netns, lines);
    add_sysctls(where, netns, lines);
    add_rules(where, netns, lines);
  }
  for (const char* folder : {"/var/lib", "/run"}) add_tree(folder, lines);
  for (std::string& line : lines) line = named(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace cnio::test
