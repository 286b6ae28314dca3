// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/exchange.hpp"

#include <linux/netlink.h>

#include <netlink/msg.h>

namespace cnio::net {

int errno_of(int error) {
  constexpr int kMaxErrno = 4095;  // the kernel's MAX_ERRNO
  return error <= 0 && error >= -kMaxErrno ? -error : EPROTO;
}

std::string extended_ack(const nlmsghdr& header) {
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(&header));
  size_t offset = sizeof(nlmsgerr);
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0) offset += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
  const auto length = static_cast<size_t>(nlmsg_datalen(&header));
  if (offset >= length) return {};
  const auto* attributes = reinterpret_cast<const nlattr*>(reinterpret_cast<const char*>(error) + offset);
  const nlattr* text = nla_find(attributes, static_cast<int>(length - offset), NLMSGERR_ATTR_MSG);
  if (text == nullptr) return {};
  return text_of(text);
}

Error refused(std::string_view operation, int errnum, const std::string& kernel_says) {
  Error error = Error::sys(operation, errnum, Code::kKernel);
  return kernel_says.empty() ? error : std::move(error).note(kernel_says);
}

}  // namespace cnio::net
