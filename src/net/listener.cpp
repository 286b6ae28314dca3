// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/listener.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <netlink/msg.h>

#include "cnio/net/netlink.hpp"

#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

// A UDP socket that is bound and not connected is "closed".
uint32_t waiting_states(uint8_t protocol) { return 1U << (protocol == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE); }

MsgPtr make_question(uint8_t protocol, Family family) {
  MsgPtr message(checked(nlmsg_alloc()));
  nlmsghdr* header = checked(nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, SOCK_DIAG_BY_FAMILY,
                                       sizeof(inet_diag_req_v2), NLM_F_REQUEST | NLM_F_DUMP));
  auto* question = static_cast<inet_diag_req_v2*>(nlmsg_data(header));
  *question = {};
  question->sdiag_family = static_cast<uint8_t>(af_of(family));
  question->sdiag_protocol = protocol;
  question->idiag_states = waiting_states(protocol);
  return message;
}

void keep(nlmsghdr& answer, Family family, std::vector<Listener>& listeners) {
  if (nlmsg_datalen(&answer) < static_cast<int>(sizeof(inet_diag_msg))) return;
  const auto* socket = static_cast<const inet_diag_msg*>(nlmsg_data(&answer));
  const uint16_t port = ntohs(socket->id.idiag_sport);
  if (port != 0) listeners.push_back({IpAddr::from_bytes(family, socket->id.idiag_src), port});
}

}  // namespace

Result<std::vector<Listener>> list_listeners(uint8_t protocol, Family family) {
  CNIO_LET(Netlink diag, Netlink::open(NETLINK_SOCK_DIAG));
  std::vector<Listener> listeners;
  const MsgPtr question = make_question(protocol, family);
  const Status asked = diag.query(
      question.get(), "list listening sockets", [&](nlmsghdr& answer) { keep(answer, family, listeners); },
      [&] { listeners.clear(); });
  if (!asked.ok() && asked.error().errnum() != ENOENT) return asked.error();
  return listeners;
}

}  // namespace cnio::net
