// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/router.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

#include "support/host.hpp"
#include "support/netns.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {
namespace {

constexpr int kHopLimit = 255;  // others are not believed

std::string advertisement(int lifetime, const std::string& prefix) {
  nd_router_advert router{};
  router.nd_ra_type = ND_ROUTER_ADVERT;
  router.nd_ra_curhoplimit = 64;
  router.nd_ra_router_lifetime = htons(static_cast<std::uint16_t>(lifetime));
  std::string bytes(reinterpret_cast<const char*>(&router), sizeof router);
  if (prefix.empty()) return bytes;
  nd_opt_prefix_info info{};
  info.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION;
  info.nd_opt_pi_len = sizeof info / 8;
  info.nd_opt_pi_prefix_len = 64;
  info.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO;
  info.nd_opt_pi_valid_time = info.nd_opt_pi_preferred_time = 0xffffffff;  // for ever
  if (::inet_pton(AF_INET6, prefix.c_str(), &info.nd_opt_pi_prefix) != 1) throw std::runtime_error(prefix);
  return bytes.append(reinterpret_cast<const char*>(&info), sizeof info);
}

/// From the interface's link-local address: no other is believed.
bool bind_link_local(int fd, const std::string& interface) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return false;
  bool bound = false;
  for (const ifaddrs* each = all; each != nullptr && !bound; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET6 || interface != each->ifa_name) continue;
    const auto* address = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
    bound = IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr) && ::bind(fd, each->ifa_addr, sizeof *address) == 0;
  }
  ::freeifaddrs(all);
  return bound;
}

bool send_once(const std::string& interface, const std::string& bytes) {
  const int fd = ::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_scope_id = ::if_nametoindex(interface.c_str());
  ::inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
  const bool ready = bind_link_local(fd, interface) &&
                     ::setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &kHopLimit, sizeof kHopLimit) == 0 &&
                     ::setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &to.sin6_scope_id, sizeof to.sin6_scope_id) == 0;
  const bool sent = ready && ::sendto(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                                      sizeof to) == static_cast<ssize_t>(bytes.size());
  ::close(fd);
  return sent;
}

/// How many the interface has received.
int heard(const std::string& interface) {
  std::istringstream lines(must_run({"cat", "/proc/net/dev_snmp6/" + interface}));
  std::string name;
  for (int count = 0; lines >> name >> count;) {
    if (name == "Icmp6InType134") return count;
  }
  return 0;
}

}  // namespace

void advertise_router(const std::string& netns, const std::string& interface, int lifetime, const std::string& prefix) {
  const std::string bytes = advertisement(lifetime, prefix);
  // The interface needs a link-local address first, and to be sure of it.
  const bool sent = happens([&] { return in_netns(netns, [&] { return send_once(interface, bytes); }); });
  if (!sent || !in_netns(netns, [&] { return send_once(interface, bytes); })) {
    throw std::runtime_error("cannot advertise a router on " + interface + " of " + netns);
  }
}

void let_hear_router(const std::string& netns, const std::string& interface, const std::string& host_interface,
                     int lifetime, const std::string& prefix) {
  const int before = heard(host_interface);
  const bool arrived = happens([&] {
    advertise_router(netns, interface, lifetime, prefix);
    return heard(host_interface) >= before + 2;
  });
  if (!arrived) throw std::runtime_error(host_interface + " hears no router advertisement");
}

}  // namespace cnio::test
