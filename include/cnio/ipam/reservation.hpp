// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cnio/base/ip.hpp"
#include "cnio/ipam/reservation_origin.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::ipam {

// One file of the store whose name is an address. Whatever it holds, the address is taken while the file is there.
struct Reservation {
  enum class State {
    kHeld,     // `holder` has the address
    kTorn,     // empty: left by a writer that died; under the lock nobody can be about to fill it
    kForeign,  // not a regular file, or content that names no attachment: put there by someone else, never touched
  };

  IpAddr address;
  std::string file;  // name in the folder
  State state = State::kForeign;
  protocol::Attachment holder;        // kHeld only; without ifname in the old format, which names the container alone
  std::optional<Origin> origin = {};  // where it was made; nothing if that is not known
  int64_t written = 0;                // when, in seconds since 1970; 0 if that was not looked at

  // The old format stands for every interface of its container.
  [[nodiscard]] bool held_by(const protocol::Attachment& attachment) const;
  // "c1/eth0", for messages.
  [[nodiscard]] std::string holder_text() const;
};

// Reads what a reservation file says; `out` gains state and holder.
void parse_holder(std::string_view content, Reservation& out);
// The content of the file: "<container id>\r\n<ifname>".
std::string format_holder(const protocol::Attachment& attachment);

}  // namespace cnio::ipam
