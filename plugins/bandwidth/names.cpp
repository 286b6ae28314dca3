// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bandwidth/names.hpp"

#include <algorithm>

#include "cnio/attachment/identity.hpp"
#include "cnio/base/sha512.hpp"

namespace cnio::bandwidth {
namespace {

constexpr char kPrefix[] = "bwp";
constexpr size_t kReferenceDigits = 12;

}  // namespace

bool is_shaper(const net::Link& link) { return link.kind == "ifb" && link.name.starts_with(kPrefix); }

std::vector<std::string> ifb_names(const Owner& owner) {
  std::vector<std::string> names = {kPrefix +
                                    sha512_hex(owner.network + owner.attachment.container_id, kReferenceDigits)};
  for (unsigned attempt = 0; attempt < attachment::kNameAttempts; ++attempt) {
    names.push_back(attachment::host_end_name(owner.network, owner.attachment, kPrefix, attempt));
  }
  return names;
}

bool is_of(const net::Link& ifb, const Owner& owner) {
  return ifb.kind == "ifb" && ifb.alias == attachment::host_end_alias(owner.network, owner.attachment);
}

bool may_be_of(const net::Link& ifb, const Owner& owner) {
  const std::vector<std::string> names = ifb_names(owner);
  return ifb.kind == "ifb" && ifb.alias.empty() && std::find(names.begin(), names.end(), ifb.name) != names.end();
}

}  // namespace cnio::bandwidth
