// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/take_away.hpp"

#include <cerrno>

#include "cnio/net/nftables/nftables.hpp"

namespace cnio::firewall {

Result<std::optional<Error>> take_away(const std::function<Status(Way way)>& remove) {
  Way way = Way::kFirst;
  std::optional<Error> stays;
  CNIO_TRY(net::retry_while_changing([&] {
    Status status = remove(way);
    if (!status.ok() && status.error().errnum() == EBUSY) {
      if (way == Way::kSecond) stays = status.error();
      way = way == Way::kFirst ? Way::kSecond : Way::kEmptyOnly;
    }
    return status;
  }));
  return stays;
}

void collect(ErrorList& errors, const std::string& chain, const Result<std::optional<Error>>& stays) {
  const std::string step = "remove chain " + chain;
  if (!stays.ok()) errors.collect(Error(stays.error()).context(step));
  if (stays.ok() && stays.value()) errors.collect(Error(*stays.value()).context(step));
}

}  // namespace cnio::firewall
