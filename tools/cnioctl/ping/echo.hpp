// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netns.hpp"

namespace cnio::cnioctl {

// A socket in a sandbox, by which it asks another machine for an echo: ICMP (RFC 792) or ICMPv6 (RFC 4443). With it
// goes all that was made for it; nothing in the sandbox is changed.
class Echo {
 public:
  // What is asked, and how.
  struct Way {
    IpAddr from;        // an address of the sandbox
    IpAddr to;          // of the same family
    net::IfIndex link;  // in the sandbox: that of a link-local address
  };

  // Errors: code 103, with errno, if the sandbox lacks the address, or has no way there; code 5 if nobody can be asked
  // from there.
  static Result<Echo> open(const net::Namespace& sandbox, const Way& way);

  [[nodiscard]] int fd() const { return socket_.get(); }
  // Asks once more. Error: code 103, with errno.
  Status send();
  // Looks at what has come by now. True: an answer to one of ours. Only who has seen the question can give one.
  [[nodiscard]] bool receive();

 private:
  static constexpr size_t kTokenSize = 16;
  using Token = std::array<uint8_t, kTokenSize>;

  Echo(UniqueFd socket, Family family, const Token& token)
      : socket_(std::move(socket)), family_(family), token_(token) {}
  [[nodiscard]] bool is_answer(const uint8_t* packet, size_t size) const;

  UniqueFd socket_;
  Family family_;
  Token token_;
  uint16_t sent_ = 0;
};

}  // namespace cnio::cnioctl
