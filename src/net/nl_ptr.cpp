// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/nl_ptr.hpp"

#include <array>
#include <stdexcept>
#include <sys/socket.h>

#include <netlink/errno.h>

namespace cnio::net {
namespace {

bool out_of_memory(int result) { return result == -NLE_NOMEM || result == -NLE_MSGSIZE; }

}  // namespace

void must(int result) {
  if (result >= 0) return;
  if (out_of_memory(result)) throw std::bad_alloc();
  throw std::logic_error(std::string("a netlink message cannot be built: ") + nl_geterror(result));
}

Status built(int result, std::string_view operation) {
  if (out_of_memory(result)) throw std::bad_alloc();
  if (result >= 0) return {};
  return Error::make(Code::kKernel, std::string(operation) + ": " + nl_geterror(result));
}

NlAddrPtr to_nl_addr(const Cidr& cidr) {
  NlAddrPtr out(checked(nl_addr_build(af_of(cidr.family()), cidr.addr.data(), cidr.addr.size())));
  nl_addr_set_prefixlen(out.get(), cidr.prefix);
  return out;
}

Family family_of(int af) { return af == AF_INET ? Family::kIpv4 : Family::kIpv6; }

int af_of(Family family) { return family == Family::kIpv4 ? AF_INET : AF_INET6; }

std::string text_of(const nlattr* nla) {
  const std::string_view raw(static_cast<const char*>(nla_data(nla)), static_cast<size_t>(nla_len(nla)));
  return std::string(raw.substr(0, raw.find('\0')));
}

IpAddr to_ip(const nlattr* nla) {
  const auto bytes = value_of<std::array<uint8_t, 16>>(nla);
  return IpAddr::from_bytes(nla_len(nla) == 4 ? Family::kIpv4 : Family::kIpv6, bytes.data());
}

}  // namespace cnio::net
