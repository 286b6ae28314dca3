// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/explain.hpp"

#include <algorithm>
#include <linux/netlink.h>
#include <optional>
#include <sched.h>

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/network_file.hpp"
#include "cnioctl/plugin_call.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/rehearsal/node_image.hpp"
#include "cnioctl/rehearsal/shadow.hpp"
#include "cnioctl/world/setup.hpp"

namespace cnio::cnioctl {
namespace {

using net::Namespace;
using net::Netlink;
using protocol::Fields;
using protocol::Json;

constexpr char kContainer[] = "cnioctl-explain";

// What came of it.
struct Rehearsal {
  Things made;                        // by ADD, that were not there
  Things left;                        // of these, what DEL leaves
  std::vector<std::string> left_out;  // of the node, that could not be copied
  Json result = nullptr;
  std::optional<Error> failed;  // ADD
  std::optional<Error> failed_removal;
};

// The pod's namespace, and that of the node's copy, which is the calling thread's.
struct Theatre {
  Shadow shadow;
  Namespace elsewhere;  // the other ends of the node's cables, which would go with it
  Netlink host;
  Netlink pod;
  std::string pod_path;
  Things before;
  std::vector<std::string> left_out;
};

Result<Remembered> read_network(const ExplainOptions& options) {
  CNIO_LET(const std::string text, read_regular_file(options.file, kMaxNetworkFile));
  CNIO_LET(std::vector<Json> plugins, plugin_configs(text));
  Remembered out{.who = {"", {kContainer, options.ifname}}, .args = options.args};
  CNIO_LET(out.who.network, Fields(plugins.empty() ? Json::object() : plugins.front()).text("name"));
  if (out.who.network.empty()) return Error::make(Code::kInvalidConfig, options.file + " names no network");
  CNIO_LET(out.version, Fields(plugins.front()).text("cniVersion"));
  out.plugins = std::move(plugins);
  return out;
}

void add_folder(const Json& config, const char* key, std::vector<std::string>& out) {
  const auto folder = Fields(config).text(key);
  if (folder.ok() && folder.value().starts_with('/')) out.push_back(folder.value());
}

// Where plugins write.
std::vector<std::string> folders_of(const Remembered& network, const std::string& data_dir) {
  std::vector<std::string> out = {"/run", data_dir};
  for (const Json& plugin : network.plugins) {
    add_folder(plugin, "dataDir", out);
    const auto ipam = Fields(plugin).object("ipam");
    const auto folder = ipam.ok() ? ipam.value().text("dataDir") : Result<std::string>(std::string());
    if (folder.ok() && folder.value().starts_with('/')) out.push_back(folder.value());
  }
  return out;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) out.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

Status leave_network() {
  if (unshare(CLONE_NEWNET) == 0) return {};
  return Error::sys("make a network namespace", errno);
}

Status observe_host(Netlink& host, Things& out) {
  CNIO_TRY(observe_links(host, Thing::Where::kHost, out));
  CNIO_TRY(observe_rules(out));
  return observe_settings(host, out);
}

Status observe_all(Theatre& theatre, Things& out) {
  CNIO_TRY(observe_host(theatre.host, out));
  CNIO_TRY(observe_links(theatre.pod, Thing::Where::kPod, out));
  return theatre.shadow.observe(out);
}

// Three namespaces: the last one stays the calling thread's.
Result<Theatre> build(const ExplainOptions& options, const Remembered& network) {
  CNIO_LET(Netlink node, Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const NodeImage image, take_image(node));
  Things before;
  CNIO_TRY(observe_host(node, before));
  CNIO_LET(Shadow shadow, Shadow::cast(folders_of(network, options.data_dir), split(options.plugins)));
  CNIO_TRY(leave_network());
  CNIO_LET(Namespace elsewhere, Namespace::current());
  CNIO_TRY(leave_network());
  CNIO_LET(const std::string pod_path, shadow.keep_namespace("pod"));
  CNIO_LET(Netlink pod, Netlink::open(NETLINK_ROUTE));
  CNIO_TRY(leave_network());
  CNIO_LET(Netlink host, Netlink::open(NETLINK_ROUTE));
  CNIO_LET(std::vector<std::string> left_out, put_image(image, host, elsewhere));
  Theatre out{std::move(shadow), std::move(elsewhere), std::move(host),    std::move(pod),
              pod_path,          std::move(before),    std::move(left_out)};
  CNIO_TRY(observe_all(out, out.before));
  return out;
}

Status add(const Plugins& plugins, Remembered& network) {
  for (size_t i = 0; i < network.plugins.size(); ++i) {
    CNIO_LET(PluginCall call, PluginCall::start(plugins, network, i, "ADD"));
    CNIO_LET(const std::string answer, call.finish());
    CNIO_LET(network.result, protocol::parse_json(answer).context("what " + call.type() + " answers"));
  }
  return {};
}

// As a runtime does after a failed ADD, too.
Status remove(const Plugins& plugins, const Remembered& network) {
  Status first;
  for (size_t left = network.plugins.size(); left != 0; --left) {
    auto call = PluginCall::start(plugins, network, left - 1, "DEL");
    const Status done = call.ok() ? Status() : Status(call.error());
    const auto answer = call.ok() ? call.value().finish() : Result<std::string>(done.error());
    if (!answer.ok() && first.ok()) first = answer.error();
  }
  return first;
}

Things without(const Things& all, const Things& others) {
  Things out;
  std::set_difference(all.begin(), all.end(), others.begin(), others.end(), std::inserter(out, out.end()));
  return out;
}

Result<Rehearsal> rehearse(const ExplainOptions& options, const Plugins& plugins) {
  CNIO_LET(Remembered network, read_network(options));
  CNIO_LET(Theatre theatre, build(options, network));
  network.netns = theatre.pod_path;
  Rehearsal out;
  const Status added = add(plugins, network);
  if (!added.ok()) out.failed = added.error();
  Things after;
  CNIO_TRY(observe_all(theatre, after));
  out.made = without(after, theatre.before);
  const Status removed = remove(plugins, network);
  if (!removed.ok()) out.failed_removal = removed.error();
  CNIO_TRY(observe_all(theatre, out.left));
  out.result = std::move(network.result);
  out.left_out = std::move(theatre.left_out);
  return out;
}

std::string text_of(const Rehearsal& rehearsal) {
  Table table;
  size_t number = 0;
  for (const Thing& each : in_order(rehearsal.made)) {
    const std::string end = rehearsal.left.contains(each) ? "stays after DEL" : "gone after DEL";
    table.add({std::to_string(++number), std::string(to_string(each.where)), shown(each.text), end});
  }
  std::string text = table.text();
  if (rehearsal.failed) text += "error: ADD fails: " + shown(rehearsal.failed->msg()) + "\n";
  if (rehearsal.failed_removal) text += "error: DEL fails: " + shown(rehearsal.failed_removal->msg()) + "\n";
  for (const std::string& each : rehearsal.left_out) text += "note: not copied: " + shown(each) + "\n";
  return text;
}

Json error_json(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return {{"code", static_cast<unsigned>(error->code())}, {"msg", error->msg()}, {"details", error->details()}};
}

std::string json_of(const Rehearsal& rehearsal) {
  Json plan = Json::array();
  for (const Thing& each : in_order(rehearsal.made)) {
    plan.push_back({{"where", to_string(each.where)}, {"what", each.text}, {"undone", !rehearsal.left.contains(each)}});
  }
  return json_text({{"schema", kSchema},
                    {"plan", std::move(plan)},
                    {"result", rehearsal.result},
                    {"addFails", error_json(rehearsal.failed)},
                    {"delFails", error_json(rehearsal.failed_removal)},
                    {"notCopied", rehearsal.left_out}});
}

}  // namespace

Outcome explain_add(const ExplainOptions& options, const protocol::Environment& environment) {
  const auto rehearsal = rehearse(options, {options.plugins, environment});
  if (!rehearsal.ok()) return failure(rehearsal.error(), Exit::kBlind);
  const Rehearsal& what = rehearsal.value();
  const bool found = what.failed || what.failed_removal;
  return {found ? Exit::kFound : Exit::kWell, options.json ? json_of(what) : text_of(what), {}};
}

}  // namespace cnio::cnioctl
