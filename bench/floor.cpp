// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The kernel's own time: what is left of ADD and DEL if nothing is done but ask the kernel, in as few messages as it
// takes, by one static process. No configuration, no result, no check, no undo: a floor, not a plugin.
//
//   floor empty                                       starts, and ends
//   floor add BRIDGE HOST_END NETNS ADDRESS/LENGTH GATEWAY
//   floor del HOST_END                                waits for the acknowledgement
//   floor gone HOST_END                               the same, but until the notification that the pair is gone
//   floor announce NETNS                              sets the MAC address of eth0 to what it is: see arp_notify
//   floor tune NETNS MAC MTU KEY=VALUE...             sets sysctls, and both of eth0, after a look at what they are
//   floor limit HOST_END IFB RATE BURST LIMIT         in bytes a second and bytes, both ways
//   floor unlimit HOST_END IFB                        until the notification that IFB is gone
//   floor peak PROGRAM [ARGUMENT...]                  runs it, and tells its peak memory in KiB on standard error
//
// The last is here because the kernel counts whoever starts a program as part of its peak, and this program has next to
// no memory itself.
//
// ADD is one message for the veth pair (its end in the pod, its master, up) and then, in the pod, one each for the
// address, the flag "up" (the kernel does not take it when a pair is made) and the route, sent together. IPv4 only.
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kPodEnd = 2;  // its index: the first after lo, in a new namespace

[[noreturn]] void fail(const char* what, int errnum) {
  std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(errnum));
  std::_Exit(1);
}

int open_netlink() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) fail("socket", errno);
  return fd;
}

// One request, in a buffer that has room for it.
class Message {
 public:
  template <class Header>
  Message(uint16_t type, uint16_t flags, const Header& header) {
    head()->nlmsg_len = NLMSG_LENGTH(sizeof header);
    head()->nlmsg_type = type;
    head()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    std::memcpy(NLMSG_DATA(head()), &header, sizeof header);
  }

  void put(uint16_t type, const void* data, size_t size) {
    auto* attribute = reinterpret_cast<rtattr*>(buffer_ + NLMSG_ALIGN(head()->nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
    std::memcpy(RTA_DATA(attribute), data, size);
    grow(RTA_LENGTH(size));
  }
  void put(uint16_t type, const char* text) { put(type, text, std::strlen(text) + 1); }
  void put(uint16_t type, uint32_t number) { put(type, &number, sizeof number); }

  uint32_t begin(uint16_t type) {
    const uint32_t start = NLMSG_ALIGN(head()->nlmsg_len);
    put(type, nullptr, 0);
    return start;
  }
  // What follows begin() of an attribute that has a header of its own.
  template <class Header>
  void append(const Header& header) {
    std::memcpy(buffer_ + NLMSG_ALIGN(head()->nlmsg_len), &header, sizeof header);
    grow(sizeof header);
  }
  void end(uint32_t start) {
    reinterpret_cast<rtattr*>(buffer_ + start)->rta_len = static_cast<uint16_t>(head()->nlmsg_len - start);
  }

  [[nodiscard]] std::string_view bytes() const {
    return {buffer_, reinterpret_cast<const nlmsghdr*>(buffer_)->nlmsg_len};
  }

 private:
  nlmsghdr* head() { return reinterpret_cast<nlmsghdr*>(buffer_); }
  void grow(size_t size) { head()->nlmsg_len = static_cast<uint32_t>(NLMSG_ALIGN(head()->nlmsg_len) + size); }

  alignas(nlmsghdr) char buffer_[1024] = {};
};

// Sends them at once, waits for the answer to each.
void send(int fd, std::initializer_list<const Message*> messages, const char* what) {
  char all[2048];
  size_t size = 0;
  for (const Message* message : messages) {
    std::memcpy(all + size, message->bytes().data(), message->bytes().size());
    size += message->bytes().size();
  }
  if (::send(fd, all, size, 0) < 0) fail(what, errno);
  for (size_t i = 0; i < messages.size(); ++i) {
    alignas(nlmsghdr) char answer[1024];
    if (recv(fd, answer, sizeof answer, 0) < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(int)))) fail(what, EBADMSG);
    const int error = *static_cast<int*>(NLMSG_DATA(reinterpret_cast<nlmsghdr*>(answer)));
    if (error != 0) fail(what, -error);
  }
}

int add(const char* bridge, const char* host_end, const char* netns, char* address, const char* gateway) {
  const int sandbox = open(netns, O_RDONLY | O_CLOEXEC);
  if (sandbox < 0) fail(netns, errno);
  ifinfomsg up{};
  up.ifi_flags = up.ifi_change = IFF_UP;
  ifinfomsg peer{};
  peer.ifi_index = kPodEnd;

  Message pair(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, up);
  pair.put(IFLA_IFNAME, host_end);
  pair.put(IFLA_MASTER, if_nametoindex(bridge));
  const uint32_t info = pair.begin(IFLA_LINKINFO);
  pair.put(IFLA_INFO_KIND, "veth");
  const uint32_t data = pair.begin(IFLA_INFO_DATA);
  const uint32_t inner = pair.begin(VETH_INFO_PEER);
  pair.append(peer);
  pair.put(IFLA_IFNAME, "eth0");
  pair.put(IFLA_NET_NS_FD, static_cast<uint32_t>(sandbox));
  pair.end(inner);
  pair.end(data);
  pair.end(info);
  send(open_netlink(), {&pair}, "make the pair");

  if (setns(sandbox, CLONE_NEWNET) != 0) fail("setns", errno);
  const int pod = open_netlink();
  char* slash = std::strchr(address, '/');
  if (slash == nullptr) fail(address, EINVAL);
  *slash = '\0';
  in_addr ip{};
  in_addr via{};
  if (inet_pton(AF_INET, address, &ip) != 1 || inet_pton(AF_INET, gateway, &via) != 1) fail(address, EINVAL);
  ifaddrmsg own{};
  own.ifa_family = AF_INET;
  own.ifa_prefixlen = static_cast<uint8_t>(std::atoi(slash + 1));
  own.ifa_index = kPodEnd;
  Message set_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, own);
  set_address.put(IFA_LOCAL, &ip, sizeof ip);
  set_address.put(IFA_ADDRESS, &ip, sizeof ip);

  up.ifi_index = kPodEnd;
  const Message set_up(RTM_NEWLINK, 0, up);
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_type = RTN_UNICAST;
  Message set_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
  set_route.put(RTA_GATEWAY, &via, sizeof via);
  set_route.put(RTA_OIF, static_cast<uint32_t>(kPodEnd));
  send(pod, {&set_address, &set_up, &set_route}, "set address, flag and route");
  return 0;
}

int del(const char* host_end) {
  Message removal(RTM_DELLINK, 0, ifinfomsg{});
  removal.put(IFLA_IFNAME, host_end);
  send(open_netlink(), {&removal}, "remove the pair");
  return 0;
}

// The answer comes later, to the process that asked.
int gone(const char* host_end) {
  const int index = static_cast<int>(if_nametoindex(host_end));
  const int events = open_netlink();
  sockaddr_nl links{};
  links.nl_family = AF_NETLINK;
  links.nl_groups = RTMGRP_LINK;
  if (bind(events, reinterpret_cast<const sockaddr*>(&links), sizeof links) != 0) fail("bind", errno);
  const pid_t pid = fork();
  if (pid < 0) fail("fork", errno);
  if (pid == 0) std::_Exit(del(host_end));
  for (;;) {
    alignas(nlmsghdr) char news[8192];
    if (recv(events, news, sizeof news, 0) < 0) fail("wait for the removal", errno);
    const auto* header = reinterpret_cast<const nlmsghdr*>(news);
    const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
    if (header->nlmsg_type == RTM_DELLINK && link->ifi_family == AF_UNSPEC && link->ifi_index == index) return 0;
  }
}

uint32_t index_of(const char* name) {
  const uint32_t index = if_nametoindex(name);
  if (index == 0) fail(name, errno);
  return index;
}

tcmsg at(uint32_t index, uint32_t parent, uint32_t handle) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(index);
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  return header;
}

struct Rate {
  uint32_t bytes_per_second, burst, limit;
};

Message tbf(uint32_t index, const Rate& rate) {
  Message request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, at(index, TC_H_ROOT, 1U << 16));
  tc_tbf_qopt options{};
  options.rate.rate = rate.bytes_per_second;
  options.rate.linklayer = TC_LINKLAYER_ETHERNET;  // so that no table of times is asked for
  options.limit = rate.limit;
  request.put(TCA_KIND, "tbf");
  const uint32_t data = request.begin(TCA_OPTIONS);
  request.put(TCA_TBF_PARMS, &options, sizeof options);
  request.put(TCA_TBF_BURST, rate.burst);
  request.end(data);
  return request;
}

// All that comes in, to another interface.
Message redirect(uint32_t from, uint32_t to) {
  tcmsg header = at(from, TC_H_MAKE(TC_H_INGRESS, 0), 0);
  header.tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
  Message request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, header);
  alignas(tc_u32_sel) char selector[sizeof(tc_u32_sel) + sizeof(tc_u32_key)] = {};  // one key, whose mask is zero
  auto* every = reinterpret_cast<tc_u32_sel*>(selector);
  every->flags = TC_U32_TERMINAL;
  every->nkeys = 1;
  tc_mirred to_there{};
  to_there.action = TC_ACT_STOLEN;
  to_there.eaction = TCA_EGRESS_REDIR;
  to_there.ifindex = to;
  request.put(TCA_KIND, "u32");
  const uint32_t data = request.begin(TCA_OPTIONS);
  request.put(TCA_U32_SEL, selector, sizeof selector);
  const uint32_t actions = request.begin(TCA_U32_ACT);
  const uint32_t first = request.begin(1);
  request.put(TCA_ACT_KIND, "mirred");
  const uint32_t action = request.begin(TCA_ACT_OPTIONS);
  request.put(TCA_MIRRED_PARMS, &to_there, sizeof to_there);
  request.end(action);
  request.end(first);
  request.end(actions);
  request.end(data);
  return request;
}

int limit(const char* host_end, const char* ifb, const Rate& rate) {
  constexpr int kIndex = 1 << 20;  // of the device, so that the other requests can name it
  const uint32_t host = index_of(host_end);
  ifinfomsg up{};
  up.ifi_index = kIndex + static_cast<int>(host);
  up.ifi_flags = up.ifi_change = IFF_UP;
  Message device(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, up);
  device.put(IFLA_IFNAME, ifb);
  device.put(IFLA_TXQLEN, uint32_t{1000});
  const uint32_t info = device.begin(IFLA_LINKINFO);
  device.put(IFLA_INFO_KIND, "ifb");
  device.end(info);
  const auto other = static_cast<uint32_t>(up.ifi_index);
  const Message sent = tbf(other, rate);
  const int route = open_netlink();
  send(route, {&device, &sent}, "make the ifb");
  const Message received = tbf(host, rate);
  Message ingress(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, at(host, TC_H_INGRESS, TC_H_MAKE(TC_H_INGRESS, 0)));
  ingress.put(TCA_KIND, "ingress");
  const Message filter = redirect(host, other);
  send(route, {&received, &ingress, &filter}, "limit");
  return 0;
}

int unlimit(const char* host_end, const char* ifb) {
  const uint32_t host = index_of(host_end);
  const Message root(RTM_DELQDISC, 0, at(host, TC_H_ROOT, 1U << 16));
  const Message ingress(RTM_DELQDISC, 0, at(host, TC_H_INGRESS, 0));
  send(open_netlink(), {&root, &ingress}, "remove what limits");
  return gone(ifb);
}

int announce(const char* netns) {
  const int sandbox = open(netns, O_RDONLY | O_CLOEXEC);
  if (sandbox < 0 || setns(sandbox, CLONE_NEWNET) != 0) fail(netns, errno);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(static_cast<char*>(request.ifr_name), "eth0");
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0 || ioctl(fd, SIOCSIFHWADDR, &request) != 0) fail("eth0", errno);
  return 0;
}

// "ipv4/ip_forward=1"
void set_sysctl(char* words) {
  char* value = std::strchr(words, '=');
  if (value == nullptr) fail(words, EINVAL);
  *value++ = '\0';
  const std::string path = std::string("/proc/sys/net/") + words;
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  char before[4096];
  if (file < 0 || pread(file, before, sizeof before, 0) < 0 || write(file, value, std::strlen(value)) < 0) {
    fail(words, errno);
  }
}

int tune(const char* netns, const char* mac_text, const char* mtu, char** settings) {
  const int sandbox = open(netns, O_RDONLY | O_CLOEXEC);
  if (sandbox < 0 || setns(sandbox, CLONE_NEWNET) != 0) fail(netns, errno);
  const ether_addr* mac = ether_aton(mac_text);
  if (mac == nullptr) fail(mac_text, EINVAL);
  for (; *settings != nullptr; ++settings) set_sysctl(*settings);
  ifinfomsg link{};
  link.ifi_index = kPodEnd;
  Message change(RTM_NEWLINK, 0, link);
  change.put(IFLA_ADDRESS, mac, sizeof *mac);
  change.put(IFLA_MTU, static_cast<uint32_t>(std::atoi(mtu)));
  send(open_netlink(), {&change}, "change eth0");
  return 0;
}

int peak(char** command) {
  const pid_t pid = vfork();
  if (pid == 0) {
    execv(command[0], command);
    _exit(127);
  }
  int status = 0;
  rusage used{};
  if (pid < 0 || wait4(pid, &status, 0, &used) != pid) fail(command[0], errno);
  std::fprintf(stderr, "%ld\n", used.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "empty") == 0) return 0;
  if (count == 7 && std::strcmp(words[1], "add") == 0) return add(words[2], words[3], words[4], words[5], words[6]);
  if (count == 3 && std::strcmp(words[1], "del") == 0) return del(words[2]);
  if (count == 3 && std::strcmp(words[1], "gone") == 0) return gone(words[2]);
  if (count == 3 && std::strcmp(words[1], "announce") == 0) return announce(words[2]);
  if (count >= 5 && std::strcmp(words[1], "tune") == 0) return tune(words[2], words[3], words[4], words + 5);
  if (count == 7 && std::strcmp(words[1], "limit") == 0) {
    const auto number = [&](int word) { return static_cast<uint32_t>(std::strtoul(words[word], nullptr, 10)); };
    return limit(words[2], words[3], {number(4), number(5), number(6)});
  }
  if (count == 4 && std::strcmp(words[1], "unlimit") == 0) return unlimit(words[2], words[3]);
  if (count >= 3 && std::strcmp(words[1], "peak") == 0) return peak(words + 2);
  std::fputs(
      "usage: floor empty | add BRIDGE HOST_END NETNS ADDRESS/LENGTH GATEWAY | del HOST_END | gone HOST_END |\n"
      "       announce NETNS | tune NETNS MAC MTU KEY=VALUE... | limit HOST_END IFB RATE BURST LIMIT |\n"
      "       unlimit HOST_END IFB | peak PROGRAM [ARGUMENT...]\n",
      stderr);
  return 2;
}
