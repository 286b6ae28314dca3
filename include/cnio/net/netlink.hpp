// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"

struct nl_msg;
struct nl_sock;
struct nlmsghdr;

namespace cnio::net {

// One netlink socket, bound to the network namespace that the thread was in when it was opened: it keeps acting there
// afterwards. Errors keep the kernel's errno (Error::errnum) and its extended acknowledgement, which libnl's own error
// codes lose: "add route 0.0.0.0/0: Network is unreachable (Nexthop has invalid gateway)". Code 100.
class Netlink {
 public:
  using Handler = std::function<void(nlmsghdr& message)>;

  // `protocol` is NETLINK_ROUTE or NETLINK_NETFILTER; `groups` are multicast groups to hear (RTNLGRP_LINK, ...).
  // A socket that hears groups serves `wait_for` only.
  static Result<Netlink> open(int protocol, const std::vector<int>& groups = {});

  Netlink(Netlink&&) noexcept;
  Netlink& operator=(Netlink&&) noexcept;
  ~Netlink();

  // Sends one request and waits for its acknowledgement. `operation` leads error messages. Borrows `message`.
  Status request(nl_msg* message, std::string_view operation);

  // The requests that `work` makes of this socket are kept back and then sent in one system call, in their order. The
  // first that fails is the error; those behind it have been carried out, or have failed, all the same. REQUIRES:
  // `work` makes nothing but requests.
  Status together(const std::function<Status()>& work);

  // Sends a get (one answer, or ENOENT/ENODEV and the like as an error) or, with NLM_F_DUMP in its flags, a dump, and
  // hands every answer to `handler`. A dump that the kernel reports as interrupted by a change is done again, up to ten
  // times, then reported (code 11), never passed on as complete: so `handler` may see objects twice, and `restart` is
  // called before each repetition to let the caller drop what it has.
  Status query(
      nl_msg* message, std::string_view operation, const Handler& handler,
      const std::function<void()>& restart = [] {});

  // Sends gets, of which the last may be a dump, in one system call, and hands all answers to `handler` in this order.
  // A get of what does not exist (ENOENT) has no answer, unless it is the last one; any other failure is the error.
  // Gets are not acknowledged besides, so each has to be one that the kernel answers or refuses. Otherwise as query.
  Status query_together(
      const std::vector<nl_msg*>& messages, std::string_view operation, const Handler& handler,
      const std::function<void()>& restart = [] {});

  // Sends several messages in one system call (an nf_tables batch) and waits until the kernel has answered for the last
  // one that asks for an acknowledgement. The first failure is the error; `steps`, if given, says what each message
  // does, so that the error can name the one that failed. The caller sets flags; sequence numbers and port are filled
  // in here.
  Status transact(const std::vector<nl_msg*>& messages, std::string_view operation,
                  const std::vector<std::string>& steps = {});

  // Waits for notifications until `seen` returns true (true), or until `timeout_ms` is over or the other side of the
  // pipe `end`, if there is one, is closed (false). `seen` gets null when the kernel had to drop some, because more
  // came than the socket holds: then it has to look for itself.
  Result<bool> wait_for(int timeout_ms, const std::function<bool(nlmsghdr* message)>& seen, int end = -1);
  // Looks, and again with each notification that concerns what is looked at, until `look` returns true or fails. False
  // if it has not come to that within this time.
  Result<bool> look_until(int timeout_ms, const std::function<Result<bool>()>& look,
                          const std::function<bool(nlmsghdr& message)>& concerns);

  // For a process that is to keep the socket: see Caretaker.
  [[nodiscard]] int fd() const;

 private:
  struct Free {
    void operator()(nl_sock* socket) const;
  };
  explicit Netlink(nl_sock* socket);
  struct Group;

  // The sequence numbers of what was sent together: the last one's answer is the end.
  struct Sent {
    uint32_t first;
    uint32_t last;
    bool acknowledged;  // or it ends with an answer
  };
  Status receive(Sent sent, const Handler& handler, std::string_view operation, bool& interrupted);
  // As they follow each other on the wire.
  std::string number(const std::vector<nl_msg*>& messages);

  std::unique_ptr<nl_sock, Free> socket_;
  std::unique_ptr<Group> group_;  // the requests kept back
};

// Opens a socket that hears groups of notifications of NETLINK_ROUTE: here, or where somebody else is.
using Listen = std::function<Result<Netlink>(const std::vector<int>& groups)>;
Result<Netlink> listen_here(const std::vector<int>& groups);

}  // namespace cnio::net
