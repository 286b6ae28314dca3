// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "cnio/base/error.hpp"
#include "cnio/base/interrupted.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"

#include "net/nl_ptr.hpp"

struct nlmsghdr;

// What each exchange with the kernel needs, be it one request or many at once.
namespace cnio::net {

inline constexpr int kReceiveAttempts = 3;
// Acknowledgements and notifications come one at a time, of some hundred bytes, and the former end in the kernel's
// sentence. What is too long for this is cut, at its end.
inline constexpr size_t kNoticeBuffer = 1 << 13;  // bytes

struct Netlink::Group {
  std::vector<MsgPtr> messages;
  std::vector<std::string> operations;
};

// The errno that the kernel gives as its negative; what cannot be one is a breach of the protocol.
int errno_of(int error);

// The sentence that the kernel may add to an acknowledgement (NLMSGERR_ATTR_MSG).
std::string extended_ack(const nlmsghdr& header);

Error refused(std::string_view operation, int errnum, const std::string& kernel_says);

// libnl's functions tell a number of their own; the system call's is left in errno.
template <class Call>
Status send_by(Call call, std::string_view operation) {
  const int sent = retry_interrupted([&] {
    errno = 0;
    return call();
  });
  if (sent >= 0) return {};
  return Error::sys(std::string(operation) + ": send to the kernel", errno, Code::kKernel);
}

}  // namespace cnio::net
