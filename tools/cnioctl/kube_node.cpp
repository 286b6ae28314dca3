// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/kube_node.hpp"

#include <nlohmann/json.hpp>

#include "cnio/protocol/json.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;

// A refusal is an object of kind Status, with a sentence.
Error no_node(const Fields& fields, const std::string& kind) {
  const auto message = fields.text("message");
  const std::string said = message.ok() && !message.value().empty() ? ": " + message.value() : "";
  return Error::make(Code::kDecode, "the API server's answer is no Node but " + quote(kind) + said);
}

Status check_name(const Fields& node, const std::string& name) {
  CNIO_LET(const Fields metadata, node.object("metadata"));
  CNIO_LET(const std::string given, metadata.text("name"));
  if (name.empty() || given == name) return {};
  return Error::make(Code::kDecode, "the Node is " + quote(given) + ", not " + quote(name));
}

}  // namespace

Result<std::vector<std::string>> parse_pod_cidrs(std::string_view text, const std::string& name) {
  CNIO_LET(const Json whole, protocol::parse_json(text));
  if (!whole.is_object()) return Error::make(Code::kDecode, "the API server's answer is no JSON object");
  const Fields fields(whole, {}, Code::kDecode);
  CNIO_LET(const std::string kind, fields.text("kind"));
  if (kind != "Node") return no_node(fields, kind);
  CNIO_TRY(check_name(fields, name));
  CNIO_LET(const Fields spec, fields.object("spec"));
  CNIO_LET(std::vector<std::string> subnets, spec.texts("podCIDRs"));
  CNIO_LET(const std::string first, spec.text("podCIDR"));
  if (subnets.empty() && !first.empty()) subnets.push_back(first);
  if (!subnets.empty()) return subnets;
  return Error::make(Code::kTryAgain, "the node " + quote(name) + " has no podCIDR yet")
      .hint("kube-controller-manager gives it one with --allocate-node-cidrs and --cluster-cidr");
}

}  // namespace cnio::cnioctl
