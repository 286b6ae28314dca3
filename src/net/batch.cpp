// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Many messages in one system call.
#include <linux/netlink.h>
#include <optional>
#include <sys/socket.h>

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "net/exchange.hpp"

namespace cnio::net {

Status Netlink::together(const std::function<Status()>& work) {
  group_ = std::make_unique<Group>();
  const Status gathered = work();
  const std::unique_ptr<Group> group = std::move(group_);
  CNIO_TRY(gathered);
  if (group->messages.empty()) return {};
  std::vector<nl_msg*> messages;
  for (const MsgPtr& message : group->messages) messages.push_back(message.get());
  // Failures are reported in any case.
  nlmsg_hdr(messages.back())->nlmsg_flags |= NLM_F_ACK;
  return transact(messages, {}, group->operations);
}

namespace {

struct BatchFailure {
  uint32_t sequence = 0;
  int errnum = 0;
  std::string kernel_says;
};

// The kernel works within the send call, so all its answers are queued by now: one for each failing message and for
// each that asked for it, in order. A batch that is refused as a whole (its generation is over) is answered for its
// first message alone.
Result<std::optional<BatchFailure>> drain_answers(int fd, uint32_t last_acked, std::string_view operation) {
  alignas(nlmsghdr) char buffer[kNoticeBuffer];
  std::optional<BatchFailure> first;
  for (int setbacks = 0;;) {
    const ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOMEM && ++setbacks < kReceiveAttempts) continue;  // the answer was left where it is
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && first) return first;
    if (got < 0) return Error::sys(std::string(operation) + ": receive the kernel's answer", errno, Code::kKernel);
    int remaining = static_cast<int>(got);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(header, remaining);
         header = nlmsg_next(header, &remaining)) {
      if (header->nlmsg_type != NLMSG_ERROR || nlmsg_datalen(header) < static_cast<int>(sizeof(nlmsgerr))) continue;
      const int errnum = errno_of(static_cast<const nlmsgerr*>(nlmsg_data(header))->error);
      if (errnum != 0 && !first) {
        first.emplace();
        first->sequence = header->nlmsg_seq;
        first->errnum = errnum;
        first->kernel_says = extended_ack(*header);
      }
      if (header->nlmsg_seq == last_acked) return first;
    }
  }
}

}  // namespace

Status Netlink::transact(const std::vector<nl_msg*>& messages, std::string_view operation,
                         const std::vector<std::string>& steps) {
  std::string bytes = number(messages);
  uint32_t last_acked = 0;
  for (nl_msg* message : messages) {
    if ((nlmsg_hdr(message)->nlmsg_flags & NLM_F_ACK) != 0) last_acked = nlmsg_hdr(message)->nlmsg_seq;
  }
  const std::string what(operation.empty() ? steps.front() : operation);
  CNIO_TRY(send_by([&] { return nl_sendto(socket_.get(), bytes.data(), bytes.size()); }, what));
  CNIO_LET(const auto failure, drain_answers(nl_socket_get_fd(socket_.get()), last_acked, what));
  if (!failure) return {};
  for (size_t i = 0; i < steps.size() && i < messages.size(); ++i) {
    if (nlmsg_hdr(messages[i])->nlmsg_seq != failure->sequence || steps[i].empty()) continue;
    return refused(operation.empty() ? steps[i] : what + ": " + steps[i], failure->errnum, failure->kernel_says);
  }
  return refused(what, failure->errnum, failure->kernel_says);
}

}  // namespace cnio::net
