// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/nftables/expression.hpp"

// The packet filter's tables, chains, rules and maps through NFT_MSG_* messages (linux/netfilter/nf_tables.h), without
// the nft program. Only what is needed since Linux 5.10 is used.
namespace cnio::net {

// `ip` and `ip6` tables see packets of one family, `inet` tables of both; `bridge` tables see the frames of bridges.
enum class NftFamily : uint8_t { kInet, kIpv4, kIpv6, kBridge };

struct NftTable {
  NftFamily family = NftFamily::kInet;
  std::string name;
};

// nft cuts or refuses longer comments.
inline constexpr size_t kNftCommentLimit = 128;

// One rule: what it matches, and what then happens. The same form is written and read back, so that rules can be
// compared with what they should be.
struct NftRule {
  enum class Action : uint8_t {
    kNone,  // none of the following, for example a rule of someone else that counts or drops
    kAccept,
    kDrop,
    kReturn,
    kMasquerade,
    kJump,       // `target` is a chain
    kGoto,       // `target` is a chain
    kSourceMap,  // `target` is a verdict map, looked up by source address; needs `family`
  };

  std::optional<Family> family;     // only packets of this family; implied by `source` and `destination`
  std::optional<Cidr> source;       // packets from this network
  std::optional<Cidr> destination;  // packets to this network; of the same family as `source`
  std::string input_interface;      // packets that came in by this interface; empty: by any
  std::optional<MacAddr> source_mac;
  Action action = Action::kNone;
  std::string target;
  // Text for people, at most kNftCommentLimit bytes. Of a rule read back also one of iptables' comment match.
  std::string comment;
  uint64_t handle = 0;    // the kernel's, of a rule read back
  std::string chain;      // of a rule read back: the one it stands in
  bool has_more = false;  // of a rule read back: it holds matches or statements that this form cannot say

  // Equal in effect: everything but comment, handle and chain.
  [[nodiscard]] bool same_effect(const NftRule& other) const;
};

struct NftTableInfo {
  bool dormant = false;           // the kernel calls none of its chains
  std::optional<uint32_t> owner;  // the netlink port of the program that alone may change it (Linux 5.12)
  uint32_t use = 0;               // how many chains, sets and other objects it holds
  std::string comment;
};

// Where the kernel calls a chain.
struct NftHook {
  std::string type;     // "filter", "nat"
  uint32_t number = 0;  // NF_INET_* (linux/netfilter.h), which those of bridges are equal to
  int32_t priority = 0;
  bool accepts = true;  // the policy
};

struct NftChain {
  std::string name;
  std::string comment;               // for people; empty before Linux 5.10
  std::optional<NftHook> hook = {};  // nothing if only other chains lead to it
};

// A chain that the kernel calls, whose policy is to accept.
struct NftBaseChain {
  enum class Hook : uint8_t {
    kNatPrerouting,     // type nat: of `ip`, `ip6` and `inet` tables
    kNatOutput,         // likewise
    kNatPostrouting,    // likewise
    kFilterPrerouting,  // type filter: of the same tables
    kFilterForward,     // likewise
    kBridgePrerouting,  // type filter, of `bridge` tables
    kBridgeForward,     // likewise
  };
  std::string name;
  Hook hook = Hook::kNatPostrouting;
  int32_t priority = 0;

  // Why the kernel does not call `found` as it would call this one, as a predicate ("is no base chain, so the kernel
  // never calls it"); empty if it does. The policy is not compared.
  [[nodiscard]] std::string mismatch(const NftChain& found) const;
};

struct NftMap {
  std::string name;
  // The addresses that it leads from to verdicts. Nothing if it is another kind of map or set: other keys or data,
  // intervals, elements that end by themselves.
  std::optional<Family> key;
};

// A hash table of keys (a set), or from keys to values or verdicts (a map). A key of several parts has each padded to
// four bytes. `key_types` and `data_types` are numbers of the nft program's data types (kNftType...), by which it
// prints them; the kernel only keeps them.
struct NftSetSpec {
  std::string name;
  std::vector<uint32_t> key_types;
  std::vector<uint32_t> data_types = {};  // of a map to values
  bool verdicts = false;                  // a map to verdicts
  std::string comment = {};
};
inline constexpr uint32_t kNftTypeIpv4Address = 7;
inline constexpr uint32_t kNftTypeIpv6Address = 8;
inline constexpr uint32_t kNftTypeProtocol = 12;   // IPPROTO_*, one byte
inline constexpr uint32_t kNftTypePort = 13;       // two bytes
inline constexpr uint32_t kNftTypeInterface = 41;  // IFNAMSIZ bytes

struct NftElement {
  std::string key;
  std::string data = {};     // of a map to values
  std::string chain = {};    // of a map to verdicts: where it goes to
  std::string comment = {};  // at most kNftCommentLimit bytes
  bool operator==(const NftElement&) const = default;
};

// A chain with the table it stands in.
struct NftTableChain {
  NftTable table;
  NftChain chain;
};

// What to look at in a table: some of its chains and maps, and the rules of a chain.
struct NftQuestion {
  std::vector<std::string> chains;
  std::vector<std::string> maps;
  std::string rules_of;
};

// As much of that as exists.
struct NftView {
  std::optional<NftTableInfo> table;
  std::vector<NftChain> chains;
  std::vector<NftMap> maps;
  std::vector<NftRule> rules;

  // Null if it does not exist.
  [[nodiscard]] const NftChain* find_chain(const std::string& name) const;
  [[nodiscard]] const NftMap* find_map(const std::string& name) const;
};

class NftConnection;

// Changes of one table that happen together or not at all. With a generation the kernel refuses the whole batch
// (errno ERESTART) if anybody changed any table since that generation was read: then read again and start over.
class NftBatch {
 public:
  explicit NftBatch(NftTable table, std::optional<uint32_t> generation = std::nullopt);
  NftBatch(NftBatch&&) noexcept;
  NftBatch& operator=(NftBatch&&) noexcept;
  ~NftBatch();

  // "ensure": creates it, or keeps what is there under that name.
  void ensure_table(std::string_view comment);
  // The kernel calls its chains again if it is dormant. Not in one batch with a change of base chains (errno EINVAL).
  void wake_table();
  // Of one that is there the policy is set to accept; errno EEXIST or EOPNOTSUPP if it is called elsewhere or not at
  // all.
  void ensure_base_chain(const NftBaseChain& chain, std::string_view comment = {});
  void ensure_chain(const std::string& chain, std::string_view comment);
  void create_chain(const std::string& chain, std::string_view comment);  // errno EEXIST if it is there
  // A hash table from an address to the chain that a packet goes to.
  void ensure_verdict_map(const std::string& map, Family key, std::string_view comment);

  // Removes all rules of a chain, which must exist.
  void flush_chain(const std::string& chain);
  void append_rule(const std::string& chain, const NftRule& rule);
  // In front of all that the chain has. Rules may also be given as the programs that they are.
  void append_program(const std::string& chain, const NftProgram& program, std::string_view comment = {});
  void insert_program(const std::string& chain, const NftProgram& program, std::string_view comment = {});
  // With a note that the kernel keeps and no program shows, so that nothing but us sees a difference; of the size of a
  // comment.
  void append_noted(const std::string& chain, const NftProgram& program, std::string_view note);
  void insert_noted(const std::string& chain, const NftProgram& program, std::string_view note);
  // In the place of the one with this handle.
  void replace_rule(const std::string& chain, uint64_t handle, const NftRule& rule);
  // The same element twice is one; errno EBUSY or EEXIST if the key leads to another chain already.
  void add_goto(const std::string& map, const IpAddr& key, const std::string& chain);

  void ensure_set(const NftSetSpec& set);
  // The same element twice is one; errno EEXIST or EBUSY if the key has another value already. `exclusive`: errno
  // EEXIST even if it has the same.
  void add_element(const std::string& set, const NftElement& element, bool exclusive = false);

  // "delete": errno ENOENT if it is not there.
  void delete_rule(const std::string& chain, uint64_t handle);
  void delete_element(const std::string& map, const IpAddr& key);
  void delete_element(const std::string& set, std::string_view key);
  // With its rules. errno EBUSY if a rule or element still leads to it.
  void delete_chain(const std::string& chain);
  // With its elements. errno EBUSY if a rule looks into it.
  void delete_map(const std::string& map);
  // errno EBUSY if anything is in it.
  void delete_empty_table();
  // With all that is in it.
  void delete_table();

  // Changes of another table, behind these: all together or none. Its generation does not count.
  void join(NftBatch other);
  [[nodiscard]] bool empty() const { return messages_.size() == 1; }

 private:
  friend class NftConnection;
  struct Free {
    void operator()(nl_msg* message) const;
  };
  using Message = std::unique_ptr<nl_msg, Free>;

  nl_msg* add(uint16_t type, uint16_t flags, std::string step);
  void add_chain(uint16_t flags, const std::string& chain, std::string_view comment);
  nl_msg* add_rule(uint16_t flags, std::string step, const std::string& chain, const NftRule& rule);
  nl_msg* add_program(uint16_t flags, const std::string& chain, const NftProgram& program);

  NftTable table_;
  std::vector<Message> messages_;
  std::vector<std::string> steps_;  // what each message does, for error messages
};

// A socket to nf_tables of the network namespace in which it was opened. Look-ups of what does not exist yield nothing,
// whatever level is missing (the table, the chain, the kernel's support). Errors: code 100, or 11 if a list kept
// changing while it was read.
class NftConnection {
 public:
  // Nothing if this kernel has no nf_tables.
  static Result<std::optional<NftConnection>> open();
  // Where it must be there. Error: code 100, with `needs` as what to look at.
  static Result<NftConnection> require(std::string_view needs);

  // The socket itself, for other requests to netfilter.
  Netlink& netfilter() { return netlink_; }

  // The number that every change in this namespace counts up, for NftBatch.
  Result<uint32_t> generation();
  // All answers to one system call.
  Result<NftView> view(const NftTable& table, const NftQuestion& question);
  Result<std::optional<NftTableInfo>> find_table(const NftTable& table);
  // The base chains of all `ip`, `ip6`, `inet` and `bridge` tables, also of those that are dormant.
  Result<std::vector<NftTableChain>> list_base_chains();
  Result<std::optional<NftChain>> find_chain(const NftTable& table, const std::string& chain);
  Result<bool> has_chain(const NftTable& table, const std::string& chain);
  Result<std::vector<NftChain>> list_chains(const NftTable& table);
  // Those of all tables, which is what the kernel tells in either case: for who asks about several.
  Result<std::vector<NftTableChain>> list_chains();
  // Costs no more than the chain is long, however many chains there are.
  Result<std::vector<NftRule>> list_rules(const NftTable& table, const std::string& chain);
  // Those of all chains of the table.
  Result<std::vector<NftRule>> list_rules(const NftTable& table);
  // The same as programs; of all chains if none is named.
  Result<std::vector<NftProgramRule>> list_programs(const NftTable& table, const std::string& chain = {});
  // Reads the whole set or map.
  Result<std::vector<NftElement>> list_elements(const NftTable& table, const std::string& set);
  // Costs the same however many there are.
  Result<std::optional<NftElement>> find_element(const NftTable& table, const std::string& set, std::string_view key);
  // The chain that a verdict map's element goes to.
  Result<std::optional<std::string>> find_goto(const NftTable& table, const std::string& map, const IpAddr& key);
  // The keys of all elements that go to `chain`; reads the whole map.
  Result<std::vector<IpAddr>> list_keys_to(const NftTable& table, const std::string& map, const std::string& chain);

  Status commit(const NftBatch& batch, std::string_view operation);
  // Has something been removed? The kernel then takes a grace period of many milliseconds to close the socket.
  [[nodiscard]] bool closes_slowly() const { return closes_slowly_; }
  // Would commit succeed where there are no rules yet? Tried in a network namespace of its own, for which the kernel
  // loads the modules it needs: nobody sees it, and it takes a tenth of a transaction that fails on purpose (a grace
  // period).
  static Status rehearse(const NftBatch& batch, std::string_view operation);

 private:
  explicit NftConnection(Netlink netlink) : netlink_(std::move(netlink)) {}

  Netlink netlink_;
  bool closes_slowly_ = false;
};

// Runs `attempt`, which reads tables and commits what follows from that, again for as long as others change them in
// between. Each failed attempt means that somebody else's change succeeded. Error: code 11 in the end.
Status retry_while_changing(const std::function<Status()>& attempt);

}  // namespace cnio::net
