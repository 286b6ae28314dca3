// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "cnio/base/error.hpp"
#include "cnio/protocol/json.hpp"
#include "cnio/protocol/result.hpp"
#include "cnio/protocol/version.hpp"

// What the fuzz targets share: claims that hold for every input.
namespace cnio::fuzz {

inline constexpr std::array kVersions = {
    protocol::SpecVersion::k010, protocol::SpecVersion::k020, protocol::SpecVersion::k030, protocol::SpecVersion::k031,
    protocol::SpecVersion::k040, protocol::SpecVersion::k100, protocol::SpecVersion::k110};

// A claim that does not hold is a finding: libFuzzer keeps the input.
inline void require(bool holds, std::string_view claim, std::string_view shown = {}) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n%.*s\n", static_cast<int>(claim.size()), claim.data(),
               static_cast<int>(shown.size()), shown.data());
  std::abort();
}

inline void check_error(const Error& error) {
  require(static_cast<unsigned>(error.code()) != 0, "an error has a code", error.msg());
  require(!error.msg().empty(), "an error has a message");
}

// An error about what `what` says: it names the key.
inline void check_key_error(const Error& error, Code code) {
  check_error(error);
  require(error.code() == code, "the error has the code of its kind", error.msg());
  require(error.msg().find("key \"") != std::string::npos, "the error names a key", error.msg());
}

// What the newest version can say, all but the texts of `dns`: what is not UTF-8 in a file is replaced.
inline std::string described(const protocol::AddResult& result) {
  std::string out;
  const auto add = [&](std::string_view text) { out.append(text).append("|"); };
  // Zero is not written: it says the same as nothing.
  const auto add_number = [&](const std::optional<int64_t>& number) { add(std::to_string(number.value_or(0))); };
  const auto add_addr = [&](const std::optional<IpAddr>& addr) { add(addr ? addr->to_string() : ""); };
  for (const protocol::Interface& each : result.interfaces) {
    for (const auto& text : {each.name, each.mac, each.sandbox, each.socket_path, each.pci_id}) add(text);
    add_number(each.mtu);
  }
  for (const protocol::IpConfig& each : result.ips) {
    add(each.address.to_string());
    add_addr(each.gateway);
    add(each.interface ? std::to_string(*each.interface) : "");
  }
  for (const protocol::Route& each : result.routes) {
    add(each.dst.to_string());
    add_addr(each.gw);
    for (const auto& number : {each.mtu, each.advmss, each.priority, each.table, each.scope}) add_number(number);
  }
  const protocol::Dns& dns = result.dns;
  for (const size_t count : {dns.nameservers.size(), dns.search.size(), dns.options.size()}) add(std::to_string(count));
  return out;
}

inline void check_prefix(const Cidr& cidr) {
  require(cidr.prefix <= cidr.addr.bits(), "a prefix is no longer than its address", cidr.to_string());
}

inline void check_meaning(const protocol::AddResult& result) {
  for (const protocol::IpConfig& ip : result.ips) {
    check_prefix(ip.address);
    require(!ip.interface || result.interfaces.empty() || *ip.interface < result.interfaces.size(),
            "an address is of an interface that is there");
  }
  for (const protocol::Route& route : result.routes) check_prefix(route.dst);
}

// A result can be written if the version has room for it, and what was written is read back as the same.
inline void take_result(const protocol::AddResult& result, protocol::SpecVersion version) {
  check_meaning(result);
  const auto text = protocol::format_result(result, version);
  if (!text.ok()) {
    check_error(text.error());
    return require(text.error().code() == Code::kUnsupportedField, "only a lack of room stops it", text.error().msg());
  }
  const auto again = protocol::parse_delegate_result(text.value(), version, "it");
  require(again.ok(), "a written result can be read", text.value());
  require(version != protocol::kLatestVersion || described(again.value()) == described(result),
          "the newest version can say everything", text.value());
  const auto text_again = protocol::format_result(again.value(), version);
  require(text_again.ok() && text_again.value() == text.value(), "writing and reading changes nothing", text.value());
}

}  // namespace cnio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// The body of a target: fuzz_one is called with each input as text.
#define CNIO_FUZZ_TARGET(fuzz_one)                                          \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    fuzz_one(std::string_view(reinterpret_cast<const char*>(data), size));  \
    return 0;                                                               \
  }
