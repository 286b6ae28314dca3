// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/nftables/trace.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <set>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "net/nftables/message.hpp"
#include "net/nftables/packet.hpp"

namespace cnio::net {
namespace {

using nft::both;
using nft::Bytes;
using nft::get_u32;
using nft::Match;
using nft::Nested;
using nft::number_in;
using nft::parse_nested;
using nft::Value;
using Verdict = NftStep::Verdict;

std::string_view bytes_of(const nlattr* attribute) {
  if (attribute == nullptr) return {};
  return {static_cast<const char*>(nla_data(attribute)), static_cast<size_t>(nla_len(attribute))};
}

// NFTA_DATA_VALUE within a nest. More than fits is cut.
std::string_view data_in(const nlattr* nest) {
  return bytes_of(parse_nested(nest)[NFTA_DATA_VALUE]).substr(0, Bytes().size());
}

Bytes to_bytes(std::string_view data) {
  Bytes out{};
  std::copy(data.begin(), data.end(), out.begin());
  return out;
}

// NFTA_DATA_VERDICT within a nest; nothing if it goes on with the next rule.
std::optional<NftStep> verdict_in(const nlattr* nest, bool surely) {
  const Nested verdict = parse_nested(parse_nested(nest)[NFTA_DATA_VERDICT]);
  if (verdict[NFTA_VERDICT_CODE] == nullptr) return std::nullopt;
  NftStep step;
  step.surely = surely;
  if (verdict[NFTA_VERDICT_CHAIN] != nullptr) step.target = text_of(verdict[NFTA_VERDICT_CHAIN]);
  switch (static_cast<int>(number_in(verdict[NFTA_VERDICT_CODE]))) {
    case NFT_CONTINUE:
      return std::nullopt;
    case NFT_JUMP:
      step.verdict = Verdict::kJump;
      break;
    case NFT_GOTO:
      step.verdict = Verdict::kGoto;
      break;
    case NFT_RETURN:
      step.verdict = Verdict::kReturn;
      break;
    case NF_ACCEPT:
      step.verdict = Verdict::kAccept;
      break;
    case NF_DROP:
      step.verdict = Verdict::kDrop;
      break;
    default:
      break;
  }
  return step;
}

// A copy of a message that outlives its dump.
using Kept = std::vector<char>;

Kept keep(const nlmsghdr& message) {
  const auto* bytes = reinterpret_cast<const char*>(&message);
  return {bytes, bytes + message.nlmsg_len};
}

nlmsghdr& header_of(Kept& kept) { return *reinterpret_cast<nlmsghdr*>(kept.data()); }

// A set or verdict map that a rule looks into.
struct Set {
  bool plain = false;  // neither intervals nor concatenations
  uint32_t key_length = 0;
  struct Element {
    std::string key;  // empty: every other
    std::optional<NftStep> step;
  };
  std::vector<Element> elements;
};

// Programs of iptables-nft that do something to the packet and go on.
bool goes_on(const std::string& target) {
  static const std::set<std::string> kTargets = {
      "AUDIT", "CHECKSUM", "CLASSIFY", "CONNMARK", "CONNSECMARK", "CT",  "DSCP",   "HL",  "IDLETIMER", "LED", "LOG",
      "MARK",  "NFLOG",    "RATEEST",  "SECMARK",  "SET",         "TEE", "TCPMSS", "TOS", "TRACE",     "TTL"};
  return kTargets.contains(target);
}

}  // namespace

class NftTracer::Rules {
 public:
  Rules(NftConnection& nft, NftTable table, NftPacket packet)
      : nft_(nft), table_(std::move(table)), packet_(std::move(packet)) {}

  Result<std::vector<NftStep>> trace(const std::string& chain) {
    const MsgPtr message = nft::make_message(NFT_MSG_GETRULE, table_.family, NLM_F_DUMP);
    nft::put_text(message.get(), NFTA_RULE_TABLE, table_.name);
    nft::put_text(message.get(), NFTA_RULE_CHAIN, chain);
    std::vector<Kept> rules;
    CNIO_TRY(nft_.netfilter().query(
        message.get(), "list rules of chain " + chain, [&](nlmsghdr& answer) { rules.push_back(keep(answer)); },
        [&] { rules.clear(); }));
    std::vector<NftStep> steps;
    for (Kept& rule : rules) CNIO_TRY(follow(header_of(rule), steps));
    return steps;
  }

 private:
  // Adds what the rule does. Its sets are asked for on the way.
  Status follow(nlmsghdr& rule, std::vector<NftStep>& steps) {
    nlattr* attributes[NFTA_RULE_MAX + 1] = {};
    nlmsg_parse(&rule, sizeof(nfgenmsg), attributes, NFTA_RULE_MAX, nullptr);
    registers_.clear();
    match_ = Match::kSurely;
    nlattr* const list = attributes[NFTA_RULE_EXPRESSIONS];
    if (list == nullptr) return {};
    nlattr* expression = nullptr;
    int remaining = 0;
    nla_for_each_nested(expression, list, remaining) {
      const Nested outer = parse_nested(expression);
      if (outer[NFTA_EXPR_NAME] == nullptr) continue;
      CNIO_TRY(read(text_of(outer[NFTA_EXPR_NAME]), outer[NFTA_EXPR_DATA], steps));
      if (match_ == Match::kNever) break;
    }
    return {};
  }

  Status read(const std::string& name, const nlattr* data, std::vector<NftStep>& steps) {
    const Nested at = parse_nested(data);
    if (name == "meta") {
      if (at[NFTA_META_DREG] != nullptr) load(at[NFTA_META_DREG], nft::meta_of(packet_, number_in(at[NFTA_META_KEY])));
    } else if (name == "ct") {
      if (at[NFTA_CT_DREG] != nullptr) load(at[NFTA_CT_DREG], nft::tracking_of(number_in(at[NFTA_CT_KEY])));
    } else if (name == "payload") {
      read_payload(at);
    } else if (name == "bitwise") {
      read_bitwise(at);
    } else if (name == "cmp") {
      read_cmp(at);
    } else if (name == "match") {
      match_ = both(match_, nft::match_of(at[NFTA_MATCH_NAME] != nullptr ? text_of(at[NFTA_MATCH_NAME]) : "",
                                          number_in(at[NFTA_MATCH_REV]), bytes_of(at[NFTA_MATCH_INFO])));
    } else if (name == "lookup") {
      return read_lookup(at, steps);
    } else if (name == "immediate") {
      read_immediate(at, steps);
    } else {
      read_statement(name, at, steps);
    }
    return {};
  }

  void load(const nlattr* target, Value value) { registers_[get_u32(target)] = std::move(value); }

  // The register's content; unknown if nothing is known to have loaded it.
  Value content(const nlattr* source) {
    const auto found = registers_.find(number_in(source));
    return found == registers_.end() ? Value() : found->second;
  }

  void read_payload(const Nested& at) {
    if (at[NFTA_PAYLOAD_DREG] == nullptr) return;  // it writes into the packet
    const bool network = number_in(at[NFTA_PAYLOAD_BASE]) == NFT_PAYLOAD_NETWORK_HEADER;
    const nft::HeaderField field = {number_in(at[NFTA_PAYLOAD_OFFSET]), number_in(at[NFTA_PAYLOAD_LEN])};
    load(at[NFTA_PAYLOAD_DREG], network ? nft::header_of(packet_, field) : Value());
  }

  void read_bitwise(const Nested& at) {
    if (at[NFTA_BITWISE_DREG] == nullptr) return;
    Value value = content(at[NFTA_BITWISE_SREG]);
    const std::string_view mask = data_in(at[NFTA_BITWISE_MASK]);
    if (number_in(at[NFTA_BITWISE_OP]) != NFT_BITWISE_BOOL || mask.empty()) value = Value();
    value.apply(to_bytes(mask), to_bytes(data_in(at[NFTA_BITWISE_XOR])));
    load(at[NFTA_BITWISE_DREG], std::move(value));
  }

  void read_cmp(const Nested& at) {
    const std::string_view data = data_in(at[NFTA_CMP_DATA]);
    Match match = content(at[NFTA_CMP_SREG]).equals(to_bytes(data), data.size());
    const uint32_t operation = number_in(at[NFTA_CMP_OP]);
    if (operation == NFT_CMP_NEQ) match = nft::negated(match);
    if (operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ) match = Match::kMaybe;
    match_ = both(match_, match);
  }

  Status read_lookup(const Nested& at, std::vector<NftStep>& steps) {
    if (at[NFTA_LOOKUP_SET] == nullptr) return {};
    const Value value = content(at[NFTA_LOOKUP_SREG]);
    const std::string name = text_of(at[NFTA_LOOKUP_SET]);
    const nlattr* target = at[NFTA_LOOKUP_DREG];
    if (target == nullptr) {
      CNIO_LET(Match match, find_in_set(name, value));
      if ((number_in(at[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV) != 0) match = nft::negated(match);
      match_ = both(match_, match);
    } else if (get_u32(target) == NFT_REG_VERDICT) {
      CNIO_TRY(follow_map(name, value, steps));
      match_ = Match::kNever;  // what is behind it only sees packets that no element says anything about
    } else {
      load(target, Value());
      match_ = both(match_, Match::kMaybe);
    }
    return {};
  }

  void read_immediate(const Nested& at, std::vector<NftStep>& steps) {
    if (number_in(at[NFTA_IMMEDIATE_DREG]) != NFT_REG_VERDICT) {
      load(at[NFTA_IMMEDIATE_DREG], Value());
    } else if (auto step = verdict_in(at[NFTA_IMMEDIATE_DATA], match_ == Match::kSurely)) {
      steps.push_back(*std::move(step));
    }
  }

  void read_statement(const std::string& name, const Nested& at, std::vector<NftStep>& steps) {
    static const std::set<std::string> kGoOn = {"counter", "log", "notrack", "dup", "last"};
    if (kGoOn.contains(name)) return;
    const std::string target = name == "target" && at[NFTA_TARGET_NAME] != nullptr ? text_of(at[NFTA_TARGET_NAME]) : "";
    if (goes_on(target)) return;
    const bool surely = match_ == Match::kSurely;
    if (name == "reject" || target == "REJECT") {
      steps.push_back({Verdict::kDrop, {}, surely});
    } else if (name == "target" || name == "queue" || name == "synproxy" || name == "fwd" || name == "tproxy") {
      steps.push_back({Verdict::kUnknown, {}, surely});
    } else {
      // A limit, a look at something else, or what nobody had thought of yet: what follows may or may not happen.
      registers_.clear();
      match_ = both(match_, Match::kMaybe);
    }
  }

  Result<Match> find_in_set(const std::string& name, const Value& value) {
    if (value.alternatives.empty()) return Match::kMaybe;
    CNIO_LET(const Set* set, look_into(name, false));
    if (!set->plain || set->key_length != value.size) return Match::kMaybe;
    bool possible = false;
    for (const Set::Element& element : set->elements) {
      const Match match = element.key.empty() ? Match::kSurely : matches(element, value);
      if (match == Match::kSurely) return match;
      possible = possible || match == Match::kMaybe;
    }
    return possible ? Match::kMaybe : Match::kNever;
  }

  static Match matches(const Set::Element& element, const Value& value) {
    return value.equals(to_bytes(std::string_view(element.key).substr(0, Bytes().size())), element.key.size());
  }

  // One of the elements decides, or none: then the next rule does.
  Status follow_map(const std::string& name, const Value& value, std::vector<NftStep>& steps) {
    CNIO_LET(const Set* map, look_into(name, true));
    const bool comparable = map->plain && map->key_length == value.size && map->key_length <= Bytes().size();
    const std::optional<Bytes> only = comparable ? value.only() : std::nullopt;
    for (const Set::Element& element : map->elements) {
      const bool compared = comparable && !element.key.empty();
      const Match match = compared ? matches(element, value) : Match::kMaybe;
      if (match == Match::kNever || !element.step) continue;
      NftStep step = *element.step;
      step.surely = match == Match::kSurely && only && match_ == Match::kSurely;
      steps.push_back(std::move(step));
    }
    return {};
  }

  // `complete`: with its elements even if their keys cannot be compared. A long list of networks is not read in vain.
  Result<const Set*> look_into(const std::string& name, bool complete) {
    if (const auto found = sets_.find(name); found != sets_.end()) return &found->second;
    Set set;
    const MsgPtr about = nft::make_message(NFT_MSG_GETSET, table_.family, 0);
    nft::put_text(about.get(), NFTA_SET_TABLE, table_.name);
    nft::put_text(about.get(), NFTA_SET_NAME, name);
    const auto take = [&](nlmsghdr& answer) {
      (answer.nlmsg_type & 0xFF) == NFT_MSG_NEWSET ? take_kind(answer, set) : take_elements(answer, set);
    };
    const std::string operation = "look into set " + name;
    CNIO_TRY(absent_is_nothing(nft_.netfilter().query(about.get(), operation, take)));
    if (!complete && !set.plain) return &(sets_[name] = std::move(set));
    const MsgPtr elements = nft::make_message(NFT_MSG_GETSETELEM, table_.family, NLM_F_DUMP);
    nft::put_text(elements.get(), NFTA_SET_ELEM_LIST_TABLE, table_.name);
    nft::put_text(elements.get(), NFTA_SET_ELEM_LIST_SET, name);
    CNIO_TRY(absent_is_nothing(nft_.netfilter().query(elements.get(), operation, take, [&] { set.elements.clear(); })));
    return &(sets_[name] = std::move(set));
  }

  // What is gone meanwhile.
  static Status absent_is_nothing(const Status& status) {
    return !status.ok() && status.error().errnum() == ENOENT ? Status() : status;
  }

  static void take_kind(nlmsghdr& answer, Set& set) {
    nlattr* at[NFTA_SET_MAX + 1] = {};
    nlmsg_parse(&answer, sizeof(nfgenmsg), at, NFTA_SET_MAX, nullptr);
    set.key_length = number_in(at[NFTA_SET_KEY_LEN]);
    constexpr uint32_t kOther = NFT_SET_INTERVAL | NFT_SET_EVAL;
    set.plain = (number_in(at[NFTA_SET_FLAGS]) & kOther) == 0;
  }

  static void take_elements(nlmsghdr& answer, Set& set) {
    nlattr* at[NFTA_SET_ELEM_LIST_MAX + 1] = {};
    nlmsg_parse(&answer, sizeof(nfgenmsg), at, NFTA_SET_ELEM_LIST_MAX, nullptr);
    nlattr* const list = at[NFTA_SET_ELEM_LIST_ELEMENTS];
    if (list == nullptr) return;
    nlattr* each = nullptr;
    int remaining = 0;
    nla_for_each_nested(each, list, remaining) {
      const Nested element = parse_nested(each);
      const std::string key(bytes_of(parse_nested(element[NFTA_SET_ELEM_KEY])[NFTA_DATA_VALUE]));
      set.elements.push_back({key, verdict_in(element[NFTA_SET_ELEM_DATA], false)});
    }
  }

  NftConnection& nft_;
  NftTable table_;
  NftPacket packet_;
  std::map<uint32_t, Value> registers_;
  Match match_ = Match::kSurely;
  std::map<std::string, Set> sets_;
};

Result<std::vector<NftTableChain>> list_hooked_chains(NftConnection& nft, uint32_t hook) {
  CNIO_LET(std::vector<NftTableChain> chains, nft.list_base_chains());
  std::erase_if(chains, [&](const NftTableChain& each) { return each.chain.hook->number != hook; });
  std::vector<NftTableChain> called;
  for (NftTableChain& each : chains) {
    CNIO_LET(const auto table, nft.find_table(each.table));
    if (table && !table->dormant) called.push_back(std::move(each));
  }
  return called;
}

NftTracer::NftTracer(NftConnection& nft, NftTable table, NftPacket packet)
    : rules_(std::make_unique<Rules>(nft, std::move(table), std::move(packet))) {}
NftTracer::NftTracer(NftTracer&&) noexcept = default;
NftTracer::~NftTracer() = default;

Result<std::vector<NftStep>> NftTracer::trace(const std::string& chain) { return rules_->trace(chain); }

}  // namespace cnio::net
