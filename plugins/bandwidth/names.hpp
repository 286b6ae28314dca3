// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/net/link/link.hpp"
#include "cnio/protocol/request.hpp"

// Whose an ifb is: by its alias, which is that of a host end (attachment/identity.hpp), and, of the reference's, which
// have none, by its name.
namespace cnio::bandwidth {

// An attachment of a network.
struct Owner {
  std::string network;
  protocol::Attachment attachment;
};

// What an ifb of the owner may be called, in the order in which it is tried. First the reference's name, by which its
// DEL finds ours; but another interface of the container has the same, and so may another network.
std::vector<std::string> ifb_names(const Owner& owner);

// Does it look like an ifb of ours or the reference's, whoever's it is?
bool is_shaper(const net::Link& link);
// Is it marked as the owner's?
bool is_of(const net::Link& ifb, const Owner& owner);
// May it be the owner's, by its name, and says nothing else? The reference's are like that.
bool may_be_of(const net::Link& ifb, const Owner& owner);

}  // namespace cnio::bandwidth
