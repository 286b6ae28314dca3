// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "flannel/flannel.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "cnio/attachment/chained.hpp"
#include "cnio/attachment/delegate.hpp"
#include "cnio/base/error_list.hpp"
#include "cnio/base/folder.hpp"
#include "cnio/base/process.hpp"
#include "cnio/base/whole_file.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/sandbox.hpp"

#include "flannel/claim.hpp"
#include "flannel/config.hpp"
#include "flannel/delegation.hpp"
#include "flannel/keys.hpp"
#include "flannel/record.hpp"

namespace cnio::flannel {
namespace {

using attachment::Delegate;
using protocol::AddResult;
using protocol::Attachment;
using protocol::Command;
using protocol::Json;
using protocol::Request;

constexpr std::string_view kExampleConfig = R"({
  "cniVersion": "1.1.0",
  "name": "cbr0",
  "type": "flannel",
  "delegate": {"hairpinMode": true, "isDefaultGateway": true}
})";

constexpr attachment::DelegateRole kRole = {.kind = "delegate", .noun = "delegate", .key = "delegate.type"};
// Longer than a delegate waits for its IPAM plugin and undoes its ADD, shorter than the two minutes that a kubelet
// waits.
constexpr attachment::DelegateLimits kLimits = {.call_ms = 117'000};

Result<Delegate> find_delegate(const Request& call, const std::string& type) {
  return Delegate::find(call, type, kLimits, kRole);
}

// A call of the delegate that outlives the function that prepares it, for undo.
struct Call {
  Request request;
  std::optional<Delegate> delegate;
};

Result<std::shared_ptr<Call>> prepare(const Request& request, const Delegation& delegation) {
  auto call = std::make_shared<Call>();
  CNIO_LET(call->request, protocol::with_config(request, delegation.config));
  CNIO_LET(call->delegate, find_delegate(call->request, delegation.type));
  return call;
}

Status run(const Request& request, const Delegation& delegation, Command command) {
  CNIO_LET(const auto call, prepare(request, delegation));
  return call->delegate->run(command);
}

// A delegate that fails because of it has not made it, and must not be told to remove it.
bool is_there(const Request& request) {
  auto sandbox = net::Sandbox::find(request.netns_path);
  if (!sandbox.ok() || !sandbox.value()) return false;
  const auto link = net::find_link(sandbox.value()->route(), request.attachment.ifname);
  return link.ok() && link.value();
}

Result<AddResult> add(const Request& request, Rollback& undo) {
  CNIO_LET(const Config config, parse_config(request));
  CNIO_LET(const ipam::NodeSubnets subnets, ipam::read_subnets(config.subnet_file));
  CNIO_LET(const Delegation delegation, delegate_to(request, config, subnets));
  CNIO_LET(const auto call, prepare(request, delegation));
  CNIO_TRY(check_own_folder(config.data_dir));
  const bool lives = is_there(request);
  CNIO_LET(Record record, Record::find(config.data_dir, request.network, request.attachment));
  // Before it is written: that can half succeed. Of a living attachment it stays what it was.
  undo.add("put " + record.path() + " back", [record] { return record.put_back(); });
  CNIO_TRY(record.write(delegation.config));
  if (has_own_store(config)) CNIO_TRY(claim_subnets(request, config.data_dir, subnets));
  CNIO_LET(Delegate::Adding adding, call->delegate->start_add());
  CNIO_LET(AddResult result, adding.finish([lives] { return lives; }));
  undo.add("remove what the delegate has made", [call] { return call->delegate->release(); });
  return result;
}

// What ADD would tell the delegate now, as far as it can be known.
struct Guess {
  Delegation delegation;
  bool whole = false;
};

Guess guess(const Request& request, const Config& config) {
  const auto subnets = ipam::read_subnets(config.subnet_file);
  const auto known = subnets.ok() ? std::optional(subnets.value()) : std::nullopt;
  return {guess_delegation(request, config, known), subnets.ok()};
}

// Nobody knows of anything that would be there, but a record may have been lost. So what cannot be done for want of
// something is no failure, unless something of a record is there.
Status del_by_guess(const Request& request, const Config& config, bool expected) {
  const Guess now = guess(request, config);
  const Status done = run(request, now.delegation, Command::kDel);
  const bool asked = done.ok() || done.error().code() != Code::kDelegate;
  if (done.ok() || expected || (asked && now.whole)) return done;
  protocol::note(request.plugin, "nothing is recorded of " + request.attachment.text() +
                                     ", nor is everything there to look for it: " + done.error().msg());
  return {};
}

// An ADD of the reference records before it looks for the delegate: then there is nothing that could be removed. An ADD
// of ours has found it.
bool never_began(const Request& request, const Told& told) {
  return !told.ifname && find_executable(request.cni_path, told.delegation.type).empty();
}

// By what was told. If that fails, the configuration of now may be one that the delegate understands.
Status del_recorded(const Request& request, const Config& config, const Told& told) {
  Status done = run(request, told.delegation, Command::kDel);
  if (done.ok()) return done;
  const Guess now = guess(request, config);
  if (now.delegation.type != told.delegation.type || now.delegation.config == told.delegation.config) return done;
  if (!run(request, now.delegation, Command::kDel).ok()) return done;
  protocol::note(request.plugin,
                 "what is recorded of " + request.attachment.text() + " was no help: " + done.error().msg());
  return {};
}

Status del(const Request& request) {
  const Config config = readable_config(request);
  const auto record = Record::find(config.data_dir, request.network, request.attachment);
  if (!record.ok()) {
    ErrorList errors;
    errors.collect(record.error());
    errors.collect(del_by_guess(request, config, true));
    return errors.status();
  }
  const auto& told = record.value().told();
  if (told && never_began(request, *told)) {
    protocol::note(request.plugin, record.value().path() + " names a plugin that is not there: " +
                                       quote(told->delegation.type) + "; it stays until GC comes");
    return {};
  }
  CNIO_TRY(told ? del_recorded(request, config, *told) : del_by_guess(request, config, record.value().exists()));
  return record.value().remove();
}

Status check(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  CNIO_LET(const Record record, Record::find(config.data_dir, request.network, request.attachment));
  if (!record.told()) {
    return Error::make(Code::kCheckFailed, "expected a record of " + request.attachment.text() + " in " +
                                               record.path() + ", found " +
                                               (record.exists() ? "something else" : "none"));
  }
  Delegation delegation = record.told()->delegation;
  if (const Json* result = request.fields().find("prevResult")) {
    CNIO_LET(const Json told, protocol::parse_json(delegation.config));
    delegation.config = protocol::with_member(told, "prevResult", *result);
  }
  return run(request, delegation, Command::kCheck);
}

Status status(const Request& request) {
  CNIO_LET(const Config config, parse_config(request));
  const auto subnets = ipam::read_subnets(config.subnet_file);
  if (!subnets.ok()) return attachment::status_of(subnets.error());
  if (Status own = check_own_folder(config.data_dir); !own.ok()) return std::move(own).error().unavailable();
  CNIO_TRY(check_folder_writable(config.data_dir, "keep records in"));
  CNIO_LET(const Delegation delegation, delegate_to(request, config, subnets.value()));
  const auto call = prepare(request, delegation);
  if (!call.ok()) return attachment::status_of(call.error());
  return call.value()->delegate->run(Command::kStatus);
}

// The DEL that nobody has called.
Status del_stale(const Request& request, const ListedRecord& record) {
  Request del = request;
  del.command = Command::kDel;
  del.attachment = record.attachment;
  del.netns_path.clear();
  for (const auto& [name, value] :
       {std::pair{"CNI_CONTAINERID", record.attachment.container_id}, std::pair{"CNI_IFNAME", record.attachment.ifname},
        std::pair{"CNI_NETNS", std::string()}}) {
    del.environment = protocol::Environment(del.environment.with(name, value));
  }
  CNIO_TRY(run(del, record.told.delegation, Command::kDel).context(record.attachment.text()));
  return remove_file(record.path);
}

bool is_valid(const ListedRecord& record, const std::vector<Attachment>& valid) {
  return std::any_of(valid.begin(), valid.end(), [&](const Attachment& each) {
    const bool any = record.attachment.ifname.empty();  // the reference's
    return any ? each.container_id == record.attachment.container_id : each == record.attachment;
  });
}

Status collect(const Request& request, const std::vector<Attachment>& valid) {
  const Config config = readable_config(request);
  ErrorList errors;
  std::vector<ListedRecord> stale = list_records(config.data_dir, request.network, errors);
  std::erase_if(stale, [&](const ListedRecord& record) { return is_valid(record, valid); });
  for (const ListedRecord& record : stale) {
    if (!record.attachment.ifname.empty()) errors.collect(del_stale(request, record));
  }
  Delegation now = guess(request, config).delegation;
  CNIO_LET(const Json told, protocol::parse_json(now.config));
  static constexpr char kKey[] = "cni.dev/valid-attachments";
  now.config = protocol::with_member(told, kKey, *request.fields().find(kKey));
  Status collected = run(request, now, Command::kGc);
  errors.collect(collected);
  if (!collected.ok()) return errors.status();
  // All that the delegate had of them is gone.
  for (const ListedRecord& record : stale) {
    if (!record.attachment.ifname.empty()) continue;
    if (!record.believed)
      protocol::note(request.plugin, record.path + " does not bear its owner's name: it is removed");
    errors.collect(remove_file(record.path));
  }
  return errors.status();
}

Status gc(const Request& request) {
  return attachment::collect_garbage(request,
                                     [&](const std::vector<Attachment>& valid) { return collect(request, valid); });
}

}  // namespace

protocol::Plugin plugin() {
  return {.name = "flannel",
          .about = "Lets another plugin, bridge by default, connect a container with the subnet that flanneld gives.",
          .example_config = kExampleConfig,
          .add = add,
          .del = del,
          .check = check,
          .status = status,
          .gc = gc,
          .keys = kKeys};
}

}  // namespace cnio::flannel
