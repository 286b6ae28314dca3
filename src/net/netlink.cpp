// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/netlink.hpp"

#include <cerrno>
#include <linux/netlink.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>

#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "cnio/base/unique_fd.hpp"

#include "net/exchange.hpp"
#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

using CallbackPtr = std::unique_ptr<nl_cb, NlRelease<nl_cb_put>>;

constexpr int kDumpAttempts = 10;
constexpr size_t kMessageBuffer = 1 << 16;  // bytes; twice what a dump fills, less than malloc(3) maps by itself
constexpr int kReceiveBuffer = 4 << 20;     // bytes; acknowledgements of a large batch and dumps of large nodes fit
constexpr int kSendBuffer = 4 << 20;        // bytes; the kernel takes a batch in one piece or not at all

// What one exchange with the kernel came to.
struct Reply {
  const Netlink::Handler* handler = nullptr;
  uint32_t first = 0;     // of what was sent together
  uint32_t sequence = 0;  // of the last, whose answer is the end
  bool acknowledged = true;
  bool done = false;
  bool interrupted = false;
  int errnum = 0;           // positive
  std::string kernel_says;  // the extended acknowledgement's sentence
};

// Is there an answer to read?
bool answer_waits(int fd) {
  pollfd waiting = {fd, POLLIN, 0};
  return poll(&waiting, 1, 0) > 0;
}

int on_valid(nl_msg* message, void* context) {
  auto& reply = *static_cast<Reply*>(context);
  if (reply.handler != nullptr) (*reply.handler)(*nlmsg_hdr(message));
  if (!reply.acknowledged && nlmsg_hdr(message)->nlmsg_seq == reply.sequence) reply.done = true;
  return NL_OK;
}

int on_finish(nl_msg* message, void* context) {
  auto& reply = *static_cast<Reply*>(context);
  reply.done = true;
  // The end of a dump carries its error, if any, as its first int.
  if (nlmsg_datalen(nlmsg_hdr(message)) >= static_cast<int>(sizeof(int))) {
    const int error = *static_cast<const int*>(nlmsg_data(nlmsg_hdr(message)));
    if (error < 0) reply.errnum = errno_of(error);
  }
  return NL_OK;
}

int on_ack(nl_msg* /*message*/, void* context) {
  static_cast<Reply*>(context)->done = true;
  return NL_OK;
}

// libnl counts the answers itself, and is out of step after a batch.
int on_sequence(nl_msg* message, void* context) {
  const auto& reply = *static_cast<Reply*>(context);
  return nlmsg_hdr(message)->nlmsg_seq - reply.first <= reply.sequence - reply.first ? NL_OK : NL_SKIP;
}

int on_interrupted(nl_msg* /*message*/, void* context) {
  static_cast<Reply*>(context)->interrupted = true;
  return NL_OK;
}

int on_error(sockaddr_nl* /*from*/, nlmsgerr* error, void* context) {
  auto& reply = *static_cast<Reply*>(context);
  const auto* header = reinterpret_cast<const nlmsghdr*>(reinterpret_cast<const char*>(error) - NLMSG_HDRLEN);
  const bool last = header->nlmsg_seq == reply.sequence;
  reply.done = last;
  const int errnum = errno_of(error->error);
  if (!last && errnum == ENOENT) return NL_SKIP;  // one of several gets
  reply.errnum = errnum;
  reply.kernel_says = extended_ack(*header);
  return last ? NL_STOP : NL_SKIP;
}

// Not by nl_connect, which sets what choose_sizes sets again. From here on nobody but the kernel can send us anything:
// in its own namespace even a pod's process may try to answer for it. To connect it also gives the socket its port.
Result<UniqueFd> open_socket(int protocol) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (fd.get() < 0) return Error::sys("open a netlink socket", errno, Code::kKernel);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return Error::sys("connect a netlink socket to the kernel", errno, Code::kKernel);
  }
  return fd;
}

// All that is missing in old kernels only gives shorter explanations, longer echoes and longer lists.
void choose_sizes(nl_sock* socket, int protocol) {
  const int fd = nl_socket_get_fd(socket);
  // A buffer that holds whatever the kernel sends at once (its dumps fill at most 32 KiB) saves a call per answer that
  // would only ask for its size.
  nl_socket_disable_msg_peek(socket);
  if (nl_socket_set_msg_buf_size(socket, kMessageBuffer) < 0) throw std::bad_alloc();
  const int on = 1;
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  // Old kernels do not filter dumps; whoever lists addresses of one link then gets all.
  if (protocol == NETLINK_ROUTE) (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) < 0) {
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  }
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) < 0) {
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  }
}

}  // namespace

void Netlink::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }
Netlink::Netlink(nl_sock* socket) : socket_(socket) {}
Netlink::Netlink(Netlink&&) noexcept = default;
Netlink& Netlink::operator=(Netlink&&) noexcept = default;
Netlink::~Netlink() = default;

Result<Netlink> Netlink::open(int protocol, const std::vector<int>& groups) {
  CNIO_LET(UniqueFd own, open_socket(protocol));
  const int fd = own.get();
  Netlink netlink(checked(nl_socket_alloc()));
  nl_sock* socket = netlink.socket_.get();
  // It asks the kernel for the socket's port. Its own answers do not tell one failure of that from another.
  if (nl_socket_set_fd(socket, protocol, fd) < 0) return Error::sys("open a netlink socket", errno, Code::kKernel);
  (void)own.release();
  choose_sizes(socket, protocol);
  for (const int group : groups) {
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
      return Error::sys("listen for netlink notifications", errno, Code::kKernel);
    }
  }
  if (!groups.empty()) nl_socket_disable_seq_check(socket);
  return netlink;
}

Status Netlink::receive(Sent sent, const Handler& handler, std::string_view operation, bool& interrupted) {
  Reply reply;
  reply.handler = &handler;
  reply.first = sent.first;
  reply.sequence = sent.last;
  reply.acknowledged = sent.acknowledged;
  const CallbackPtr callbacks(checked(nl_cb_alloc(NL_CB_DEFAULT)));
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &reply);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_finish, &reply);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_ack, &reply);
  nl_cb_set(callbacks.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, &reply);
  nl_cb_set(callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, &reply);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &reply);
  for (int setbacks = 0; !reply.done;) {
    errno = 0;
    const int failure = nl_recvmsgs(socket_.get(), callbacks.get());
    if (failure == -NLE_DUMP_INTR) reply.interrupted = true;
    if (failure < 0 && !reply.done && failure != -NLE_DUMP_INTR) {
      if (errno == EINTR) continue;
      // The answer was left where it is.
      if (errno == ENOMEM && ++setbacks < kReceiveAttempts && answer_waits(nl_socket_get_fd(socket_.get()))) continue;
      if (errno != 0) return Error::sys(std::string(operation) + ": receive the kernel's answer", errno, Code::kKernel);
      return Error::make(Code::kKernel, std::string(operation) + ": " + nl_geterror(failure));
    }
  }
  interrupted = reply.interrupted;
  if (reply.errnum != 0) return refused(operation, reply.errnum, reply.kernel_says);
  return {};
}

namespace {

Error kept_changing(std::string_view operation) {
  return Error::make(Code::kTryAgain, std::string(operation) + ": the list kept changing while it was read");
}

Status send(nl_sock* socket, nl_msg* message, std::string_view operation) {
  nl_complete_msg(socket, message);
  return send_by([&] { return nl_send(socket, message); }, operation);
}

}  // namespace

Status Netlink::request(nl_msg* message, std::string_view operation) {
  if (group_) {
    group_->messages.emplace_back(checked(nlmsg_convert(nlmsg_hdr(message))));
    group_->operations.emplace_back(operation);
    return {};
  }
  nlmsg_hdr(message)->nlmsg_flags |= NLM_F_ACK;
  CNIO_TRY(send(socket_.get(), message, operation));
  bool interrupted = false;
  const uint32_t sequence = nlmsg_hdr(message)->nlmsg_seq;
  return receive(
      {sequence, sequence, true}, [](nlmsghdr&) {}, operation, interrupted);
}

Status Netlink::query(nl_msg* message, std::string_view operation, const Handler& handler,
                      const std::function<void()>& restart) {
  const bool dump = (nlmsg_hdr(message)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  // A get is answered and then acknowledged, a dump ends with a message of its own.
  if (!dump) nlmsg_hdr(message)->nlmsg_flags |= NLM_F_ACK;
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    if (attempt != 0) restart();
    nlmsg_hdr(message)->nlmsg_seq = NL_AUTO_SEQ;
    CNIO_TRY(send(socket_.get(), message, operation));
    bool interrupted = false;
    const uint32_t sequence = nlmsg_hdr(message)->nlmsg_seq;
    CNIO_TRY(receive({sequence, sequence, true}, handler, operation, interrupted));
    if (!interrupted) return {};
  }
  return kept_changing(operation);
}

std::string Netlink::number(const std::vector<nl_msg*>& messages) {
  std::string bytes;
  for (nl_msg* message : messages) {
    nlmsghdr* header = nlmsg_hdr(message);
    header->nlmsg_seq = nl_socket_use_seq(socket_.get());
    header->nlmsg_pid = nl_socket_get_local_port(socket_.get());
    header->nlmsg_flags |= NLM_F_REQUEST;
    bytes.append(reinterpret_cast<const char*>(header), header->nlmsg_len);
    bytes.append(NLMSG_ALIGN(header->nlmsg_len) - header->nlmsg_len, '\0');
  }
  return bytes;
}

Status Netlink::query_together(const std::vector<nl_msg*>& messages, std::string_view operation, const Handler& handler,
                               const std::function<void()>& restart) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    if (attempt != 0) restart();
    std::string bytes = number(messages);
    CNIO_TRY(send_by([&] { return nl_sendto(socket_.get(), bytes.data(), bytes.size()); }, operation));
    bool interrupted = false;
    const nlmsghdr& last = *nlmsg_hdr(messages.back());
    const bool dump = (last.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    const Sent sent = {nlmsg_hdr(messages.front())->nlmsg_seq, last.nlmsg_seq, dump};
    CNIO_TRY(receive(sent, handler, operation, interrupted));
    if (!interrupted) return {};
  }
  return kept_changing(operation);
}

int Netlink::fd() const { return nl_socket_get_fd(socket_.get()); }

}  // namespace cnio::net
