// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <linux/netlink.h>
#include <string>
#include <string_view>
#include <vector>

// Netlink messages as bytes, several behind one another, as one system call sends or receives them.
namespace cnio::test {

inline nlmsghdr header_of(std::string_view message) {
  nlmsghdr header;
  std::memcpy(&header, message.data(), sizeof header);
  return header;
}

inline void set_header(std::string& bytes, size_t at, const nlmsghdr& header) {
  std::memcpy(bytes.data() + at, &header, sizeof header);
}

struct Place {
  size_t at;
  size_t length;  // with what fills the message up to the next; the last may be cut
};

/// Where the messages are, as long as there are whole headers.
inline std::vector<Place> find_messages(std::string_view bytes) {
  std::vector<Place> places;
  for (size_t at = 0; bytes.size() - at >= sizeof(nlmsghdr);) {
    const size_t length = NLMSG_ALIGN(static_cast<size_t>(header_of(bytes.substr(at)).nlmsg_len));
    places.push_back({at, std::min(length, bytes.size() - at)});
    if (length < sizeof(nlmsghdr) || length > bytes.size() - at) break;
    at += length;
  }
  return places;
}

/// The number that answers to this question have: that of its last message that asks for an acknowledgement, else of
/// its last.
inline uint32_t sequence_of(std::string_view question) {
  uint32_t sequence = 0;
  bool wants_ack = false;
  for (const Place& place : find_messages(question)) {
    const nlmsghdr header = header_of(question.substr(place.at));
    const bool ack = (header.nlmsg_flags & NLM_F_ACK) != 0;
    if (ack || !wants_ack) sequence = header.nlmsg_seq;
    wants_ack = wants_ack || ack;
  }
  return sequence;
}

inline void renumber(std::string& answer, uint32_t from, uint32_t to) {
  for (const Place& place : find_messages(answer)) {
    nlmsghdr header = header_of(std::string_view(answer).substr(place.at));
    if (header.nlmsg_seq != from) continue;
    header.nlmsg_seq = to;
    set_header(answer, place.at, header);
  }
}

}  // namespace cnio::test
