// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/snapshot/diff.hpp"

#include <cmath>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "cnioctl/print.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;
using Changes = std::vector<Change>;
using Texts = std::map<std::string, std::string>;

// Seconds between two times at which the machine seems to have been started, which are the same: clocks are set.
constexpr double kSameBoot = 120;

// Snapshots are files, and may say anything: a member that is not there, or of another type, is null.
const Json& member(const Json& object, const std::string& name) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

// A text as it is; all else as JSON has it.
std::string text_of(const Json& value) {
  if (value.is_null()) return "not known";
  return value.is_string() ? value.get<std::string>() : protocol::compact_json(value);
}
std::string member_text(const Json& object, const std::string& name) {
  const Json& found = member(object, name);
  return found.is_null() ? std::string() : text_of(found);
}
// Whatever is there, it can be reckoned with.
double number(const Json& object, const std::string& name) {
  const Json& found = member(object, name);
  return found.is_number() ? found.get<double>() : 0;
}
// When the machine was started, in seconds since 1970.
double started(const Json& snapshot) {
  return number(snapshot, "made") - number(member(snapshot, "node"), "upSeconds");
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& each : parts) out += (out.empty() ? "" : ", ") + each;
  return out.empty() ? "none" : out;
}
std::vector<std::string> texts_in(const Json& list, const std::string& name = {}) {
  std::vector<std::string> out;
  for (const Json& each : list) out.push_back(name.empty() ? text_of(each) : member_text(each, name));
  return out;
}

// By name, what is in both and not the same.
void compare(const std::string& kind, const std::string& name, const Texts& before, const Texts& after, Changes& out) {
  for (const auto& [key, old] : before) {
    const auto now = after.find(key);
    if (now == after.end()) out.push_back({'~', kind, name, key + " removed"});
    if (now != after.end() && now->second != old)
      out.push_back({'~', kind, name, key + " " + old + " -> " + now->second});
  }
  for (const auto& [key, now] : after) {
    if (!before.contains(key)) out.push_back({'~', kind, name, key + " added: " + now});
  }
}

// ---- pods

std::string pod_name(const Json& pod) {
  const Json& named = member(pod, "pod");
  if (named.is_object()) return member_text(named, "namespace") + "/" + member_text(named, "name");
  return "container " + member_text(pod, "container").substr(0, 13);
}
bool is_there(const Json& pod) {
  const std::string state = member_text(pod, "state");
  return state == "live" || state == "unknown";
}
std::string addresses_of(const Json& pod) { return joined(texts_in(member(pod, "addresses"))); }

std::map<std::string, const Json*> pods_by_key(const Json& snapshot) {
  std::map<std::string, const Json*> out;
  for (const Json& each : member(snapshot, "pods")) {
    out[member_text(each, "network") + "/" + member_text(each, "container") + "/" + member_text(each, "ifname")] =
        &each;
  }
  return out;
}

Texts features_of(const Json& pod) {
  const Json& ends = member(pod, "hostEnds");
  return {{"addresses", addresses_of(pod)},
          {"state", member_text(pod, "state")},
          {"host end", joined(texts_in(ends, "name"))},
          {"bridge", joined(texts_in(ends, "bridge"))},
          {"rules", joined(texts_in(member(pod, "rules"), "kind"))},
          {"problems", joined(texts_in(member(pod, "problems"), "what"))}};
}

// An empty object is none.
void compare_pod(const Json& before, const Json& after, Changes& out) {
  const bool was = is_there(before);
  const bool is = is_there(after);
  if (was && is) return compare("pod", pod_name(after), features_of(before), features_of(after), out);
  if (is) out.push_back({'+', "pod", pod_name(after), addresses_of(after)});
  if (!was) return;
  const bool reserved = !member(after, "reservations").empty();
  out.push_back({'-', "pod", pod_name(after.empty() ? before : after),
                 addresses_of(before) + (reserved ? " (address still reserved)" : "")});
}

void compare_pods(const Json& before, const Json& after, Changes& out) {
  const Json none = Json::object();
  auto old = pods_by_key(before);
  for (const auto& [key, pod] : pods_by_key(after)) {
    const auto found = old.find(key);
    compare_pod(found == old.end() ? none : *found->second, *pod, out);
    if (found != old.end()) old.erase(found);
  }
  for (const auto& [key, pod] : old) compare_pod(*pod, none, out);
}

// ---- files

// Each value by the path that leads to it; lists of plain values are one.
void flatten(const Json& value, const std::string& path, Texts& out) {
  const bool nested = value.is_array() && !value.empty() && value.front().is_structured();
  if (value.is_object()) {
    for (const auto& [name, each] : value.items()) flatten(each, path.empty() ? name : path + "." + name, out);
  } else if (nested) {
    for (size_t i = 0; i < value.size(); ++i) flatten(value[i], path + "[" + std::to_string(i) + "]", out);
  } else {
    out[path.empty() ? "content" : path] = text_of(value);
  }
}

std::map<std::string, Texts> files_of(const Json& snapshot) {
  std::map<std::string, Texts> out;
  for (const Json& each : member(snapshot, "files"))
    flatten(member(each, "content"), "", out[member_text(each, "name")]);
  return out;
}

void compare_files(const Json& before, const Json& after, Changes& out) {
  const auto old = files_of(before);
  const auto now = files_of(after);
  for (const auto& [name, content] : now) {
    const auto found = old.find(name);
    if (found == old.end()) out.push_back({'+', "file", name});
    if (found != old.end()) compare("file", name, found->second, content, out);
  }
  for (const auto& [name, content] : old) {
    if (!now.contains(name)) out.push_back({'-', "file", name});
  }
}

// ---- the node

// "cni0": up, MTU and what else is said of it. Cables of pods are compared with the pods.
std::map<std::string, Texts> links_of(const Json& node) {
  std::map<std::string, Texts> out;
  for (const Json& each : member(node, "links")) {
    if (member_text(each, "kind") == "veth") continue;
    for (const char* name : {"kind", "up", "mtu", "mac", "bridge"})
      out[member_text(each, "name")][name] = member_text(each, name);
  }
  return out;
}

void compare_links(const Json& before, const Json& after, Changes& out) {
  const auto old = links_of(before);
  const auto now = links_of(after);
  for (const auto& [name, texts] : now) {
    const auto found = old.find(name);
    if (found == old.end()) out.push_back({'+', "link", name});
    if (found != old.end()) compare("link", name, found->second, texts, out);
  }
  for (const auto& [name, texts] : old) {
    if (!now.contains(name)) out.push_back({'-', "link", name});
  }
}

void compare_sets(const std::string& kind, const std::vector<std::string>& before,
                  const std::vector<std::string>& after, Changes& out) {
  const std::set<std::string> old(before.begin(), before.end());
  const std::set<std::string> now(after.begin(), after.end());
  for (const std::string& each : now) {
    if (!old.contains(each)) out.push_back({'+', kind, each});
  }
  for (const std::string& each : old) {
    if (!now.contains(each)) out.push_back({'-', kind, each});
  }
}

std::vector<std::string> addressed(const Json& node) {
  std::vector<std::string> out;
  for (const Json& each : member(node, "addresses")) {
    out.push_back(member_text(each, "address") + " dev " + member_text(each, "link"));
  }
  return out;
}
std::vector<std::string> problems(const Json& snapshot) {
  std::vector<std::string> out;
  for (const Json& each : member(snapshot, "problems")) {
    out.push_back(member_text(each, "where") + ": " + member_text(each, "what"));
  }
  return out;
}

void compare_node(const Json& before, const Json& after, Changes& out) {
  const Json& old = member(before, "node");
  const Json& now = member(after, "node");
  for (const char* name : {"name", "kernel", "plugins", "uplink", "forwardsIpv4", "forwardsIpv6"}) {
    if (member(old, name) == member(now, name)) continue;
    out.push_back({'~', "node", name, text_of(member(old, name)) + " -> " + text_of(member(now, name))});
  }
  if (std::abs(started(after) - started(before)) > kSameBoot) {
    out.push_back({'~', "node", "started", "again since then"});
  }
  compare_links(old, now, out);
  compare_sets("address", addressed(old), addressed(now), out);
  compare_sets("route", texts_in(member(old, "routes")), texts_in(member(now, "routes")), out);
  compare_sets("drop", texts_in(member(old, "forwardDrops")), texts_in(member(now, "forwardDrops")), out);
}

std::string line_of(const Change& change) {
  std::string out = std::string(1, change.sign) + " " + change.kind + " " + shown(change.name);
  if (!change.what.empty()) out += (change.sign == '~' && change.kind != "node" ? ": " : " ") + shown(change.what);
  return out + "\n";
}

}  // namespace

Result<Json> parse_snapshot(std::string_view text) {
  CNIO_LET(Json whole, protocol::parse_json(text));
  const Json& inner = member(whole, "snapshot");
  if (member_text(whole, "schema") != kSchema || !inner.is_object()) {
    return Error::make(Code::kDecode, "this is no snapshot, or another version's").hint("cnioctl snapshot makes one");
  }
  return inner;
}

Changes changes_between(const Json& before, const Json& after) {
  Changes out;
  compare_pods(before, after, out);
  compare_files(before, after, out);
  compare_node(before, after, out);
  compare_sets("problem", problems(before), problems(after), out);
  return out;
}

Outcome diff(const Json& before, const Json& after, bool json) {
  const Changes changes = changes_between(before, after);
  Outcome out{changes.empty() ? Exit::kWell : Exit::kFound};
  Json list = Json::array();
  for (const Change& each : changes) {
    out.out += line_of(each);
    list.push_back(
        {{"sign", std::string(1, each.sign)}, {"kind", each.kind}, {"name", each.name}, {"what", each.what}});
  }
  if (json) out.out = json_text({{"schema", kSchema}, {"changes", std::move(list)}});
  return out;
}

}  // namespace cnio::cnioctl
