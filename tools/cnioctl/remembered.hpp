// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/attachment/record.hpp"
#include "cnio/base/result.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/protocol/json.hpp"

#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {

// An attachment as somebody remembers it who was there when it was made: enough to call its plugins again.
struct Remembered {
  firewall::RuleOwner who;
  std::string pod = {};                      // "default/web-7f9c"; empty: not known
  std::string netns = {};                    // empty: not known
  std::string args = {};                     // CNI_ARGS
  std::vector<protocol::Json> plugins = {};  // of the runtime's list; of a single plugin that one
  std::string version = {};                  // of the list
  protocol::Json capabilities = protocol::Json::object();
  protocol::Json result = {};  // of the last plugin; null: not known
  bool whole = true;           // false: of the list only what made the interface is known

  // "default/web-7f9c (mynet/c1/eth0)".
  [[nodiscard]] std::string text() const;
};

// By libcni's record. Errors: code 6.
Result<Remembered> from_cache(const CachedAdd& cached);

// By our own of the pair: without the plugins that came later in the list, and with a result that is reckoned from the
// configuration, as far as that tells. `netns` is where the interface is now. Errors: code 6.
Result<Remembered> from_record(const attachment::RecordedPair& pair, const std::string& netns);

// Where nobody remembers: an attachment of bridge, with host-local's store in this folder. That is enough for a DEL.
Remembered from_nothing(const firewall::RuleOwner& who, const std::string& data_dir);

}  // namespace cnio::cnioctl
