// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/chained.hpp"

#include <string>

#include "cnio/base/no_rollback.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Request;

Result<AddResult> require_prev_result(const Request& request) {
  CNIO_LET(std::optional<AddResult> given, protocol::parse_prev_result(request.fields(), request.version));
  if (given) return *std::move(given);
  const std::string why = "is missing: " + std::string(request.plugin) + " adds to what other plugins have made";
  return Error::config("prevResult", why).hint("call it behind a plugin that makes an interface, in one list");
}

bool is_of_container(const AddResult& result, const protocol::IpConfig& ip, const protocol::Attachment& attachment) {
  if (!ip.interface || *ip.interface >= result.interfaces.size()) return true;
  const protocol::Interface& interface = result.interfaces[*ip.interface];
  return interface.name == attachment.ifname && !interface.sandbox.empty();
}

}  // namespace

Result<AddResult> add_to_chain(const Request& request, const std::function<Status(AddResult& result)>& make) {
  CNIO_LET(AddResult result, require_prev_result(request));
  CNIO_TRY(protocol::check_result(result, request.version));
  CNIO_TRY(make(result));
  return result;
}

Status check_in_chain(const Request& request, const std::function<Status(const AddResult& result)>& compare) {
  CNIO_LET(const AddResult result, require_prev_result(request));
  return compare(result);
}

Result<std::string> repair_in_chain(const Request& request, const std::function<Status(const Request&)>& check,
                                    const std::function<Result<AddResult>(const Request&, Rollback& undo)>& add) {
  const Status found = check(request);
  if (found.ok()) return std::string();
  if (found.error().code() != Code::kCheckFailed) return found.error();
  NoRollback kept;
  CNIO_TRY(add(request, kept.steps()));
  CNIO_TRY(check(request));
  return found.error().msg();
}

Status status_of(Status rehearsed) {
  if (rehearsed.ok()) return rehearsed;
  const Code code = rehearsed.error().code();
  if (code == Code::kLimited || code == Code::kInvalidConfig) return rehearsed;
  return std::move(rehearsed).error().unavailable();
}

Status collect_garbage(const Request& request,
                       const std::function<Status(const std::vector<protocol::Attachment>& valid)>& collect) {
  CNIO_LET(const std::vector<protocol::Attachment> valid, protocol::parse_valid_attachments(request.fields()));
  return collect(valid);
}

std::optional<AddResult> readable_prev_result(const Request& request) {
  auto given = protocol::parse_prev_result(request.fields(), request.version);
  return given.ok() ? std::move(given).value() : std::nullopt;
}

std::vector<Cidr> addresses_of_container(const AddResult& result, const protocol::Attachment& attachment) {
  std::vector<Cidr> addresses;
  for (const protocol::IpConfig& ip : result.ips) {
    if (is_of_container(result, ip, attachment)) addresses.push_back(ip.address);
  }
  return addresses;
}

}  // namespace cnio::attachment
