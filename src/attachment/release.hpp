// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/attachment/delegate.hpp"
#include "cnio/attachment/record.hpp"
#include "cnio/attachment/stories.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

// Who gives the addresses back in a DEL.
namespace cnio::attachment {

// The IPAM plugin's part in a DEL: at once if it says good-bye over the link, otherwise when neither link nor rule uses
// the addresses any more.
class Release {
 public:
  // Null in layer 2. REQUIRES: `ipam` outlives this.
  explicit Release(const Delegate* ipam);
  // How far it has got, should it not come to the rest.
  [[nodiscard]] const Status& begun() const { return begun_; }
  // The rest, and how all of it went.
  [[nodiscard]] Status finish();

 private:
  Status begun_;
  std::optional<Result<Delegate::Prepared>> later_;
};

// Who releases the addresses: what the configuration says; if by now it names nobody, or cannot be read, what it said
// when the pair was made.
Result<protocol::Request> releasing_request(const protocol::Request& request, const Network& network,
                                            const std::vector<RecordedPair>& pairs);

// The same, whatever the configuration says now; nothing if that is not recorded.
std::optional<protocol::Request> former_request(const protocol::Request& request,
                                                const std::vector<RecordedPair>& pairs);

// Is it of the recorded pair that the runtime speaks? Not if it tells of other addresses: the reference has deleted
// that one, and made another.
bool may_be_recorded(const protocol::Request& request, const std::vector<RecordedPair>& pairs);

// The addresses were given by what the configuration said then, perhaps out of another store. The interface is gone,
// and so no reason to call DEL again if that cannot be asked any more.
void release_as_then(const protocol::Request& request, const Network& network, const MakeDriver& make_driver,
                     const std::vector<RecordedPair>& pairs);

}  // namespace cnio::attachment
