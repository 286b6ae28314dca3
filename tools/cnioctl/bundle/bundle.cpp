// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/bundle/bundle.hpp"

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/bundle/machine.hpp"
#include "cnioctl/bundle/redactor.hpp"
#include "cnioctl/bundle/tar.hpp"
#include "cnioctl/check.hpp"
#include "cnioctl/describe.hpp"
#include "cnioctl/ipam.hpp"
#include "cnioctl/lint.hpp"
#include "cnioctl/output.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/snapshot/snapshot.hpp"
#include "cnioctl/status.hpp"
#include "cnioctl/tree.hpp"
#include "cnioctl/why.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;
using Files = std::vector<TarFile>;

void add_networks(const std::vector<ConfFile>& networks, Files& out) {
  for (const ConfFile& each : networks) {
    const std::string text = each.json.is_null() ? "is no JSON\n" : protocol::format_json(each.json) + "\n";
    out.push_back({"net.d/" + shown(each.name), text});
  }
}

// The calls that failed, as the plugins have kept them.
void add_failures(Files& out) {
  auto text = read_file(protocol::kFailures, 2 * protocol::kMostFailures);
  if (text.ok()) out.push_back({"failures.jsonl", std::move(text).value()});
}

std::vector<std::string> pods_of(const Facts& facts) {
  std::vector<std::string> out;
  for (const Attached& each : facts.world.attached) out.push_back(each.pod);
  for (const protocol::Failure& each : facts.failures.failures) out.push_back(each.pod);
  return out;
}

Files gather(Facts& facts, const Plugins& plugins, const BundleOptions& options) {
  Report& blind = facts.world.blind;
  const auto networks = read_conf_files(options.conf_dir, blind);
  facts.failures = read_failures(blind);
  const Report lint = cnioctl::lint({{options.conf_dir}, {}});
  Files out;
  out.push_back({"version.txt", "cnioctl v" CNIO_VERSION "\n"});
  out.push_back({"status.txt", status(facts, lint, false).out});
  out.push_back({"tree.txt", tree(facts, false).out});
  out.push_back({"ipam.txt", ipam(facts, "", false).out});
  out.push_back({"check.txt", check(facts, plugins, {}, false).out});
  out.push_back({"lint.txt", lint.text()});
  out.push_back({"why.txt", why(facts, "", false).out});
  out.push_back({"snapshot.json", json_text(snapshot_of(facts, networks))});
  out.push_back({"plugins.txt", plugins_text(plugins.folders, blind)});
  out.push_back({"sysctls.txt", sysctls_text()});
  out.push_back({"modules.txt", modules_text()});
  add_networks(networks, out);
  add_failures(out);
  out.push_back({"not-seen.txt", blind_text(blind)});
  return out;
}

std::string list_of(const Files& files, bool json) {
  Table table;
  Json list = Json::array();
  for (const TarFile& each : files) {
    table.add({std::to_string(each.content.size()), each.name});
    list.push_back({{"name", each.name}, {"size", each.content.size()}});
  }
  return json ? json_text({{"schema", kSchema}, {"files", std::move(list)}}) : table.text();
}

}  // namespace

Outcome bundle(Facts& facts, const Plugins& plugins, const BundleOptions& options) {
  Files files = gather(facts, plugins, options);
  Redactor redactor(pods_of(facts), facts.node.name);
  for (TarFile& each : files) {
    if (options.redact) each.content = redactor.redacted(each.content);
  }
  if (options.dry_run) return outcome_of(facts, false, list_of(files, options.json));
  return deliver(facts, options.output, tar_of(files, facts.node.now));
}

}  // namespace cnio::cnioctl
