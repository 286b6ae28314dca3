// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/object.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"

// Owners of libnl objects, and the conversions between its values and ours.
namespace cnio::net {

template <auto kRelease>
struct NlRelease {
  template <class T>
  void operator()(T* object) const {
    kRelease(object);
  }
};

using MsgPtr = std::unique_ptr<nl_msg, NlRelease<nlmsg_free>>;
using NlAddrPtr = std::unique_ptr<nl_addr, NlRelease<nl_addr_put>>;
using RtnlLinkPtr = std::unique_ptr<rtnl_link, NlRelease<rtnl_link_put>>;
using RtnlAddrPtr = std::unique_ptr<rtnl_addr, NlRelease<rtnl_addr_put>>;
using RtnlRoutePtr = std::unique_ptr<rtnl_route, NlRelease<rtnl_route_put>>;

// libnl returns null only when memory is exhausted: the same answer as operator new's.
template <class T>
T* checked(T* object) {
  if (object == nullptr) throw std::bad_alloc();
  return object;
}

// A negative result of libnl, which is -NLE_*: want of memory, or of room in a message, which is no more than that, is
// answered like operator new's failure. Everything else is told as what it is: `built` for functions that look at what
// they are given (error: code 100, with the library's text), `must` for those that cannot refuse it.
void must(int result);
Status built(int result, std::string_view operation);

NlAddrPtr to_nl_addr(const Cidr& cidr);
Family family_of(int af);
int af_of(Family family);

// What an attribute holds. libnl's own getters read on behind an attribute that is too short; here what is missing is
// zero, as in an address that has neither 4 nor 16 bytes.
template <class T>
T value_of(const nlattr* nla) {
  T value{};
  nla_memcpy(&value, nla, sizeof value);
  return value;
}
// Up to its first NUL.
std::string text_of(const nlattr* nla);
IpAddr to_ip(const nlattr* nla);

}  // namespace cnio::net
