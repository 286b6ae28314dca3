// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/filter_table.hpp"

#include <algorithm>
#include <set>

#include "cnio/firewall/owner.hpp"

namespace cnio::firewall {
namespace {

const std::string kForward = "FORWARD";

// ---- iptables-nft

class NetlinkTable : public FilterTable {
 public:
  NetlinkTable(Family family, std::vector<PresentRule> rules, bool has_forward)
      : FilterTable(std::move(rules), has_forward),
        family_(family),
        forward_is_made_(has_forward),
        batch_(filter_table(family)) {
    for (const PresentRule& rule : this->rules()) chains_.insert({rule.chain, rule.target});
  }

  [[nodiscard]] bool is(const PresentRule& rule, const XtablesRule& wanted) const override {
    return program_of(wanted, family_).same_effect(rule.program);
  }

  void ensure_chains(const std::vector<std::string>& chains) override {
    batch_.ensure_table({});
    if (!forward_is_made_) batch_.ensure_base_chain({kForward, net::NftBaseChain::Hook::kFilterForward, 0});
    forward_is_made_ = true;
    for (const std::string& chain : chains) {
      if (chains_.insert(chain).second) batch_.ensure_chain(chain, {});
    }
  }

  void put(const std::string& chain, const XtablesRule& rule, bool first, std::string_view note) override {
    const net::NftProgram program = program_of(rule, family_);
    first ? batch_.insert_noted(chain, program, note) : batch_.append_noted(chain, program, note);
  }

  void remove(const PresentRule& rule) override { batch_.delete_rule(rule.chain, rule.handle); }

  void remove_chains(const std::vector<std::string>& chains) override {
    for (const std::string& chain : chains) {
      batch_.delete_chain(chain);
      chains_.erase(chain);
    }
  }

  void join(net::NftBatch& transaction) override { transaction.join(std::move(batch_)); }
  Status run() override { return {}; }

 private:
  Family family_;
  bool forward_is_made_;
  // Those that are there, as far as rules tell. They are left alone: a change that names a chain has the kernel wait
  // for a grace period, when the socket is closed, although nothing is to be changed in it.
  std::set<std::string> chains_;
  net::NftBatch batch_;
};

// ---- x_tables

using Words = std::vector<std::string>;

class ProgramTable : public FilterTable {
 public:
  ProgramTable(Iptables program, std::vector<PresentRule> rules, Words chains)
      : FilterTable(std::move(rules), true), program_(std::move(program)), chains_(std::move(chains)) {}

  [[nodiscard]] bool is(const PresentRule& rule, const XtablesRule& wanted) const override {
    return arguments_of(with_note(wanted, rule.note)) == rule.words;
  }

  void ensure_chains(const std::vector<std::string>& chains) override {
    for (const std::string& chain : chains) {
      if (std::find(chains_.begin(), chains_.end(), chain) != chains_.end()) continue;
      commands_.push_back({"-N", chain});
      chains_.push_back(chain);
    }
  }

  void put(const std::string& chain, const XtablesRule& rule, bool first, std::string_view note) override {
    add({first ? "-I" : "-A", chain}, arguments_of(with_note(rule, note)));
  }

  void remove(const PresentRule& rule) override { add({"-D", rule.chain}, rule.words); }

  void remove_chains(const std::vector<std::string>& chains) override {
    for (const char* command : {"-F", "-X"}) {
      for (const std::string& chain : chains) commands_.push_back({command, chain});
    }
  }

  void join(net::NftBatch& /*transaction*/) override {}

  Status run() override {
    std::string lines;
    for (const Words& command : commands_) lines.append(join_iptables_words(command)).append("\n");
    return lines.empty() ? Status() : program_.restore(lines);
  }

 private:
  static XtablesRule with_note(XtablesRule rule, std::string_view note) {
    if (!note.empty()) rule.comment = note;
    return rule;
  }

  void add(Words command, const Words& words) {
    command.insert(command.end(), words.begin(), words.end());
    commands_.push_back(std::move(command));
  }

  Iptables program_;
  Words chains_;
  std::vector<Words> commands_;
};

std::string value_of(const Words& words, std::string_view option) {
  const auto at = std::find(words.begin(), words.end(), option);
  return at == words.end() || at + 1 == words.end() ? std::string() : *(at + 1);
}

// A line of `iptables -S` behind "-A <chain>".
PresentRule present_rule(const Words& line, const Words& chains) {
  PresentRule rule;
  rule.chain = line[1];
  rule.words.assign(line.begin() + 2, line.end());
  const std::string comment = value_of(rule.words, "--comment");
  if (!owner_text(comment).empty()) rule.note = comment;
  const std::string target = value_of(rule.words, "-j");
  if (std::find(chains.begin(), chains.end(), target) != chains.end()) rule.target = target;
  rule.input = value_of(rule.words, "-i");
  return rule;
}

}  // namespace

net::NftTable filter_table(Family family) {
  return {family == Family::kIpv4 ? net::NftFamily::kIpv4 : net::NftFamily::kIpv6, "filter"};
}

Result<std::unique_ptr<FilterTable>> read_filter_table(net::NftConnection& nft, Family family) {
  CNIO_LET(const auto forward, nft.find_chain(filter_table(family), kForward));
  CNIO_LET(std::vector<net::NftProgramRule> programs, nft.list_programs(filter_table(family)));
  std::vector<PresentRule> rules;
  for (net::NftProgramRule& each : programs) {
    rules.push_back({.chain = std::move(each.chain),
                     .note = std::move(each.note),
                     .target = each.program.target(),
                     .input = each.program.input_interface(),
                     .handle = each.handle,
                     .program = std::move(each.program),
                     .words = {}});
  }
  return std::unique_ptr<FilterTable>(std::make_unique<NetlinkTable>(family, std::move(rules), forward.has_value()));
}

Result<std::unique_ptr<FilterTable>> read_filter_table(Iptables program) {
  CNIO_LET(const std::string listing, program.read({"-S"}));
  std::vector<Words> lines;
  Words chains;
  for (std::string_view rest = listing; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    Words line = split_iptables_line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.size() < 2) continue;
    if (line[0] == "-A") {
      lines.push_back(std::move(line));
    } else {
      chains.push_back(line[1]);
    }
  }
  std::vector<PresentRule> rules;
  for (const Words& line : lines) rules.push_back(present_rule(line, chains));
  return std::unique_ptr<FilterTable>(
      std::make_unique<ProgramTable>(std::move(program), std::move(rules), std::move(chains)));
}

}  // namespace cnio::firewall
