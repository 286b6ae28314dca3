// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/json.hpp"
#include "cnio/protocol/keys.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

// What can be said of a container's interface, whatever plugin makes it. A plugin's table of keys takes the rows that
// it wants from here; the keys that it leaves out keep their defaults.
namespace cnio::attachment {

// How much is asked of a configuration. ADD, CHECK and STATUS want all of it, and values that work together (kFull).
// DEL and GC want nothing (kTypes): what was built while it was in order must be removed after it was broken. A key
// that cannot be read is then as good as absent, each for itself; CNI_ARGS and `prevResult` are not looked at.
enum class Validation { kTypes, kFull };

struct MainConfig {
  uint32_t mtu = 0;                               // 0: the kernel's choice
  bool mtu_auto = false;                          // take that of the default route's interface
  bool ip_masq = false;                           // masquerade traffic that leaves the pod's subnet
  std::optional<std::string> ip_masq_backend;     // absent: nf_tables; its value is looked at where it is used
  std::vector<Cidr> ip_masq_exclude;              // destinations that see the pod's own address
  std::optional<std::vector<Cidr>> ip_masq_only;  // the only destinations that do not; absent: no such limit
  std::string host_prefix = "veth";               // `hostIfPrefix`: how the names of host ends begin
  std::optional<MacAddr> mac;                     // of the sandbox end; nothing: the kernel's choice
  std::string ipam_type;                          // empty: none, or it cannot be read
  bool ipam_readable = true;                      // false only with kTypes: nobody knows who gave the addresses
  std::optional<protocol::Dns> dns;               // replaces the IPAM plugin's if set

  bool operator==(const MainConfig&) const = default;
  // Without IPAM plugin, and certainly so.
  [[nodiscard]] bool layer2() const { return ipam_type.empty() && ipam_readable; }
};

inline constexpr size_t kMaxIfName = 15;  // IFNAMSIZ without its NUL

// Does it hold what no interface's name can hold: white space, "/", ":" or "%"?
bool holds_forbidden(const std::string& name);

// Keys that each stand for themselves. What cannot be read keeps its default; the first such fault is remembered.
class Reader {
 public:
  template <class T>
  bool take(T& field, Result<T> value) {
    if (value.ok()) {
      field = std::move(value).value();
      return true;
    }
    return note(Status(std::move(value).error()));
  }
  bool note(Status status);
  [[nodiscard]] const Status& faults() const { return faults_; }

 private:
  Status faults_;
};

// What every verb reads.
void read_main_keys(const protocol::Request& request, const protocol::Fields& fields, Reader& reader,
                    MainConfig& config);

// What only those read that build or compare: MAC address, networks of `ipMasqExclude` and `ipMasqOnly`, the type of
// `prevResult`. CNI_ARGS are looked at if `keys` has any. Errors: code 7 naming the key, 4 for CNI_ARGS.
Status read_main_details(const protocol::Request& request, protocol::Keys keys, MainConfig& config);

// A MAC address as somebody wrote it, and where: "runtimeConfig.mac", for messages.
struct MacSource {
  std::string text;
  std::string place;
};
// That of CNI_ARGS, of which `keys` has the names. Errors: code 4.
Result<MacSource> mac_of_cni_args(const protocol::Request& request, protocol::Keys keys);
// Nothing for an empty text. Errors: code 7, or 4 for CNI_ARGS, for all that no single interface has as its address.
Result<std::optional<MacAddr>> parse_mac(const MacSource& source);

// ---- rows for the tables

inline constexpr protocol::Key kMtuKey = {"mtu", protocol::KeyType::kInteger, "the kernel's",
                                          "of both ends of the pod's cable; 0 and less: the kernel's", "68 to 65535"};
inline constexpr protocol::Key kIpMasqKey = {"ipMasq", protocol::KeyType::kBoolean, "false",
                                             "what leaves for outside the pod's own subnet carries the node's address"};
inline constexpr protocol::Key kIpMasqBackendKey = {
    "ipMasqBackend", protocol::KeyType::kText, "\"nftables\"",
    "`nftables` talks to the kernel; `iptables` runs that program, with the reference's rules",
    "\"nftables\" or \"iptables\""};
inline constexpr protocol::Key kIpMasqExcludeKey = {"ipMasqExclude", ours(protocol::KeyType::kTexts), "[]",
                                                    "destinations that see the pod's own address", "list of networks"};
inline constexpr protocol::Key kIpMasqOnlyKey = {
    "ipMasqOnly", ours(protocol::KeyType::kTexts), "none",
    "all others see it, too: `[\"0.0.0.0/0\"]` masquerades IPv4 alone; `ipMasqExclude` still counts",
    "list of networks"};
inline constexpr protocol::Key kHostIfPrefixKey = {
    "hostIfPrefix", ours(protocol::KeyType::kText), "\"veth\"",
    "how the name of the pod's end on the host begins, 1 to 7 bytes; 8 digits follow"};
inline constexpr protocol::Key kIpamKey = {
    "ipam", protocol::KeyType::kObject, "{}", "the IPAM plugin and its keys; without `type` layer 2 only, no addresses",
    "",     protocol::kIpamTypeKeys};
inline constexpr protocol::Key kDnsKey = {
    "dns", protocol::KeyType::kObject,
    "{}",  "replaces all that the IPAM plugin says, if it has a domain or a list, even an empty one",
    "",    protocol::kDnsKeys};
// The first of its places that has it wins: runtimeConfig, args.cni, CNI_ARGS, the configuration.
inline constexpr protocol::Key kMacKey = {"mac",
                                          {protocol::KeyType::kText, protocol::kRuntimeConfig | protocol::kArgsCni},
                                          "drawn at random",
                                          "the pod's MAC address; the first place that has it wins",
                                          "MAC address"};
inline constexpr protocol::Key kMacArgKey = {"MAC",
                                             {protocol::KeyType::kText, protocol::kCniArgs},
                                             "drawn at random",
                                             "the same, if neither of these has it",
                                             "MAC address"};

}  // namespace cnio::attachment
