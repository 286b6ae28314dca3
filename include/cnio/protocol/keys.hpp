// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a plugin's configuration can say: one table for the parser, for --help, for docs/configuration.md and for
// whoever looks at a configuration before a plugin does. Constants only.
namespace cnio::protocol {

// The shape in JSON; kIntegerOrAuto is an integer, or the text "auto".
enum class KeyType : uint8_t {
  kBoolean,
  kInteger,
  kIntegerOrAuto,
  kText,
  kTexts,
  kObject,
  kObjects,
  kObjectLists,
};

// Where a key may stand; one that may stand at several places has the sum of them.
enum Place : uint8_t {
  kConfiguration = 1,  // the configuration itself
  kRuntimeConfig = 2,  // its object `runtimeConfig`, in which the runtime passes what `capabilities` asks for
  kArgsCni = 4,        // its object `args.cni`
  kCniArgs = 8,        // the environment's CNI_ARGS
};

struct Key;

// Rows of a table, which are constants and outlive it.
struct Keys {
  const Key* rows = nullptr;
  size_t count = 0;

  constexpr Keys() = default;
  template <size_t kCount>
  constexpr Keys(const Key (&table)[kCount]) : rows(table), count(kCount) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr bool empty() const { return count == 0; }
  [[nodiscard]] constexpr const Key* begin() const { return rows; }
  [[nodiscard]] constexpr const Key* end() const;
};

struct Kind {
  KeyType type;
  uint8_t places;
  bool ours;  // not known to the reference

  constexpr Kind(KeyType the_type, unsigned the_places = kConfiguration, bool is_ours = false)  // NOLINT
      : type(the_type), places(static_cast<uint8_t>(the_places)), ours(is_ours) {}
};
constexpr Kind ours(KeyType type) { return {type, kConfiguration, true}; }

// Plain pointers, for each executable carries its table.
struct Key {
  const char* name = "";
  Kind kind = KeyType::kText;
  const char* otherwise = "";  // what holds if it is absent: JSON, or words for what is no constant
  const char* meaning = "";    // one line, in Markdown
  const char* values = "";     // which of its type are allowed, if not all: "0 to 4094"
  Keys members = {};           // of the objects that it holds; none: they belong to somebody else, or have any
};

constexpr const Key* Keys::end() const { return rows + count; }

// Objects of the specification; of the one of an IPAM plugin what its caller reads.
inline constexpr Key kDnsKeys[] = {
    {"nameservers", KeyType::kTexts, "none", "addresses of name servers"},
    {"domain", KeyType::kText, "none", "the local domain"},
    {"search", KeyType::kTexts, "none", "domains in which short names are looked up"},
    {"options", KeyType::kTexts, "none", "as in resolv.conf(5)"},
};
inline constexpr Key kIpamTypeKeys[] = {
    {"type", KeyType::kText, "none", "the IPAM plugin's file in `CNI_PATH`; its own keys stand beside"},
};
inline constexpr Key kRouteKeys[] = {
    {"dst", KeyType::kText, "required", "where it leads", "network"},
    {"gw", KeyType::kText, "none", "the next hop", "address"},
    {"mtu", KeyType::kInteger, "none", "of the path"},
    {"advmss", KeyType::kInteger, "none", "the segment size that TCP announces"},
    {"priority", KeyType::kInteger, "none", "its metric"},
    {"table", KeyType::kInteger, "main", "the routing table"},
    {"scope", KeyType::kInteger, "none", "253: on the link, without a gateway"},
};
inline constexpr Key kValidAttachmentKeys[] = {
    {"containerID", KeyType::kText, "required", "`CNI_CONTAINERID` of its ADD"},
    {"ifname", KeyType::kText, "required", "`CNI_IFNAME` of its ADD"},
};

// The keys that the specification gives to every configuration.
inline constexpr Key kCommonKeys[] = {
    {"cniVersion", KeyType::kText, "\"0.1.0\"", "the specification's version, in which the answer is written",
     "0.1.0 to 1.1.0"},
    {"name", KeyType::kText, "required", "the network's name: a letter or digit, then also `_`, `.` and `-`"},
    {"type", KeyType::kText, "none", "the plugin's file; the runtime reads it"},
    {"capabilities", KeyType::kObject, "{}", "what the runtime shall pass in `runtimeConfig`, each `true` or `false`"},
    {"ipam", KeyType::kObject, "none", "the IPAM plugin and its keys, for plugins that call one", "", kIpamTypeKeys},
    {"dns", KeyType::kObject, "none", "DNS settings, for plugins that pass them on", "", kDnsKeys},
    {"prevResult", KeyType::kObject, "none", "the result of ADD, or of the plugin before; the runtime sets it"},
    {"cni.dev/valid-attachments", KeyType::kObjects, "required for GC", "what GC keeps; the runtime sets it", "",
     kValidAttachmentKeys},
};

// The row of a key at this place; nullptr if there is none.
const Key* find_key(const Keys& keys, std::string_view name, Place place);

// The names that CNI_ARGS may hold.
std::vector<std::string_view> cni_args_keys(const Keys& keys);

// What the values are called in messages ("must be an integer").
std::string_view to_string(KeyType type);

// The table as --help prints it: two lines for each key, members below the key that holds them.
//   vlan: 0 to 4094; 0
//       the pod is in this VLAN of the bridge
std::string describe(const Keys& keys);

}  // namespace cnio::protocol
