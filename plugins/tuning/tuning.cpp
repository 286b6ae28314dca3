// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/tuning.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <optional>

#include "cnio/attachment/chained.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/sandbox.hpp"

#include "tuning/allowlist.hpp"
#include "tuning/backup.hpp"
#include "tuning/config.hpp"
#include "tuning/interface.hpp"
#include "tuning/keys.hpp"
#include "tuning/settings.hpp"

namespace cnio::tuning {
namespace {

using net::Link;
using net::Sandbox;
using protocol::AddResult;
using protocol::Request;

constexpr std::string_view kExampleConfig = R"({
  "cniVersion": "1.1.0",
  "name": "example",
  "type": "tuning",
  "sysctl": {"net.core.somaxconn": "512", "net.ipv4.conf.IFNAME.rp_filter": "2"},
  "mtu": 1400,
  "prevResult": {
    "interfaces": [{"name": "eth0", "sandbox": "/run/netns/demo"}],
    "ips": [{"address": "10.240.1.5/24", "interface": 0}]
  }
})";

std::vector<IpAddr> addresses_in(const AddResult& result, const Request& request) {
  std::vector<IpAddr> addresses;
  for (const Cidr& each : attachment::addresses_of_container(result, request.attachment))
    addresses.push_back(each.addr);
  return addresses;
}

bool switches_ipv6_off(const Setting& setting, const std::string& ifname) {
  const auto is_it = [&](const std::string& path) {
    return path == "ipv6/conf/" + ifname + "/disable_ipv6" || path == "ipv6/conf/all/disable_ipv6";
  };
  const std::vector<std::string>& paths = setting.name.paths;
  return std::any_of(paths.begin(), paths.end(), is_it) && !net::same_setting(setting.value, "0");
}

// The kernel would drop the addresses, which the chain's result lists, and DEL could not bring them back.
Status check_addresses_stay(const Config& config, const std::vector<IpAddr>& addresses, const std::string& ifname) {
  const auto v6 = std::find_if(addresses.begin(), addresses.end(), [](const IpAddr& each) { return !each.is_v4(); });
  if (v6 == addresses.end()) return {};
  const std::string why = "would take the address " + v6->to_string() + " away, as the kernel does";
  if (config.link.mtu && *config.link.mtu < net::kMinIpv6Mtu) {
    return Error::config("mtu", why + " below " + std::to_string(net::kMinIpv6Mtu));
  }
  for (const Setting& each : config.settings) {
    if (switches_ipv6_off(each, ifname)) return Error::config(each.place, why);
  }
  return {};
}

Result<Link> find_interface(Sandbox& sandbox, const std::string& ifname, Code code) {
  CNIO_LET(const std::optional<Link> link, net::find_link(sandbox.route(), ifname));
  if (link) return *link;
  return Error::make(code, "CNI_IFNAME " + quote(ifname) + ": no such interface in the sandbox");
}

// Whose it is.
Backup make_backup(const Request& request, const Sandbox& sandbox) {
  Backup backup;
  backup.network = request.network;
  backup.attachment = request.attachment;
  backup.sandbox = sandbox.netns().number();
  backup.host = sandbox.home().number();
  return backup;
}

// Of the same sandbox; the reference does not say of which. One of an earlier sandbox means nothing to this one.
bool is_of(const Backup& backup, const Sandbox& sandbox) {
  return backup.network.empty() || backup.sandbox == sandbox.netns().number();
}

// Before the first change, so that DEL cleans up whenever ADD ends. What an earlier ADD has found counts, not what it
// has made of that.
Result<Backup> keep(const Backup& backup, BackupFile& file, const Sandbox& sandbox) {
  Backup all = file.backup() && is_of(*file.backup(), sandbox) ? *file.backup() : Backup();
  backup.add_to(all);
  CNIO_TRY(file.write(all));
  return all;
}

void update(AddResult& result, const Request& request, const net::LinkChange& change) {
  for (protocol::Interface& each : result.interfaces) {
    if (each.name != request.attachment.ifname || each.sandbox != request.netns_path) continue;
    if (change.mac) each.mac = change.mac->to_string();
    if (change.mtu && each.mtu) each.mtu = *change.mtu;
  }
}

// Checks all, keeps what is there, writes, in this order; `backup` has what was before of the interface.
Status set_settings(const Config& config, const std::shared_ptr<Sandbox>& sandbox, Backup backup,
                    const std::shared_ptr<BackupFile>& file, Rollback& undo) {
  CNIO_LET(const std::vector<OpenSetting> settings, open_settings(config.settings));
  backup.settings = saved(settings);
  undo.add("put back the values from before", [file] { return file->put_back(); });
  CNIO_LET(Backup kept, keep(backup, *file, *sandbox));
  CNIO_LET(const bool other, write_settings(sandbox, settings, kept.settings, undo));
  return other ? file->write(kept) : Status();
}

// What the interface announces may just have been set.
bool sets_announcing(const Setting& setting) { return setting.name.paths.front().ends_with("_notify"); }

Status tune(const Request& request, const Config& config, AddResult& result, Rollback& undo) {
  const std::vector<IpAddr> addresses = addresses_in(result, request);
  CNIO_TRY(check_addresses_stay(config, addresses, request.attachment.ifname));
  CNIO_LET(Sandbox opened, Sandbox::open(request.netns_path));
  if (config.link.empty() && config.settings.empty()) return {};
  const auto sandbox = std::make_shared<Sandbox>(std::move(opened));
  Backup backup = make_backup(request, *sandbox);
  std::optional<Link> link;
  if (!config.link.empty()) {
    CNIO_LET(link, find_interface(*sandbox, request.attachment.ifname, Code::kInvalidEnvironment));
    CNIO_TRY(check_mtu(config.link, *link));
    backup.link = present(*link, config.link);
  }
  CNIO_LET(BackupFile found, BackupFile::find(data_dir(request), request.attachment));
  const auto file = std::make_shared<BackupFile>(std::move(found));
  const auto work = [&] { return set_settings(config, sandbox, std::move(backup), file, undo); };
  CNIO_TRY(config.settings.empty() ? work() : sandbox->run(work));
  if (!link) return {};
  if (std::any_of(config.settings.begin(), config.settings.end(), sets_announcing)) {
    CNIO_LET(link, net::read_again(sandbox->route(), *link));
  }
  CNIO_TRY(change_interface(sandbox, *link, config.link, addresses, undo));
  update(result, request, config.link);
  return {};
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(Config config, parse_config(request));
  CNIO_LET(const Allowlist allowlist, Allowlist::read());
  CNIO_TRY(allowlist.limit(config.settings, request.attachment.ifname));
  return attachment::add_to_chain(request,
                                  [&](AddResult& result) -> Status { return tune(request, config, result, undo); });
}

Status put_back(const Request& request, const Backup& backup) {
  CNIO_LET(std::optional<Sandbox> sandbox, Sandbox::find(request.netns_path));
  if (!sandbox || !is_of(backup, *sandbox)) return {};
  std::vector<IpAddr> addresses;
  if (const auto result = attachment::readable_prev_result(request)) addresses = addresses_in(*result, request);
  ErrorList errors;
  errors.collect(put_back_interface(*sandbox, request.attachment.ifname, backup.link, addresses));
  errors.collect(put_back_settings(*sandbox, backup.settings));
  return errors.status();
}

// Whatever the configuration says. What cannot be put back goes with the sandbox: it is no reason to keep the plugins
// before this one from removing what they have made.
Status del(const Request& request) {
  CNIO_LET(const BackupFile file, BackupFile::find(data_dir(request), request.attachment));
  if (file.backup()) {
    const Status done = put_back(request, *file.backup());
    if (!done.ok()) protocol::note(request.plugin, "not put back: " + done.error().msg());
  }
  return file.remove();
}

Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  return attachment::check_in_chain(request, [&](const AddResult&) -> Status {
    CNIO_LET(Sandbox sandbox, Sandbox::open(request.netns_path));
    CNIO_LET(const Link link, find_interface(sandbox, request.attachment.ifname, Code::kCheckFailed));
    CNIO_TRY(check_interface(link, config.link));
    CNIO_LET(const BackupFile file, BackupFile::find(data_dir(request), request.attachment));
    return check_settings(sandbox, config.settings, file.backup().value_or(Backup()).settings);
  });
}

// What is there already of the folder for backups, which is made when it is needed.
Status check_folder(const std::string& folder) {
  const auto opened = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (opened.ok() || opened.error().errnum() == ENOENT || opened.error().errnum() == EACCES) return {};
  return Error(opened.error()).hint("backups are kept there: the key \"dataDir\"");
}

Status status(const Request& request) {
  CNIO_TRY(parse_config(request));
  const auto allowlist = Allowlist::read();
  if (!allowlist.ok()) return Error(allowlist.error()).unavailable();
  return attachment::status_of(check_folder(data_dir(request)));
}

Status gc(const Request& request) {
  return attachment::collect_garbage(request, [&](const std::vector<protocol::Attachment>& valid) -> Status {
    CNIO_LET(const uint64_t host, net::Namespace::own_number());
    return remove_stale_backups(data_dir(request), request.network, host, valid);
  });
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "tuning",
          .about = "Sets sysctls of a container's network namespace, and MAC address, MTU and flags of its interface.",
          .example_config = kExampleConfig,
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .keys = kKeys};
}

}  // namespace cnio::tuning
