// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/watch.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <linux/netlink.h>
#include <optional>
#include <set>
#include <thread>
#include <unistd.h>

#include "cnio/attachment/identity.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/forwarding.hpp"

#include "cnioctl/ears.hpp"
#include "cnioctl/world/inventory.hpp"

namespace cnio::cnioctl {
namespace {

using Clock = std::chrono::steady_clock;

// A DEL takes rules and limits away before the link; whoever is being removed is gone by then.
constexpr std::chrono::milliseconds kSecondLook{250};
// A busy node is looked at for a tenth of the time at most.
constexpr int kRestFactor = 9;
constexpr std::chrono::milliseconds kLongestRest{400};

struct Sight {
  World world;
  Inventory inventory;
};

std::vector<std::string> forwarding(net::Netlink& route) {
  std::vector<std::string> out;
  for (const Family family : kFamilies) {
    const auto on = net::is_forwarding(route, family);
    if (on.ok() && on.value()) out.push_back("forwards " + std::string(family_name(family)));
  }
  return out;
}

Result<Sight> look(const ResyncOptions& options) {
  Sight out{look_at_world(options.stores), {}};
  CNIO_LET(net::Netlink route, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const auto addresses, net::list_addresses(route));
  out.inventory = take_inventory(out.world, addresses, forwarding(route));
  return out;
}

// Whose the links are: host ends, or what limits pods.
std::set<firewall::RuleOwner> owners_of(const std::set<net::IfIndex>& links, const Inventory& known,
                                        const World& world) {
  std::set<firewall::RuleOwner> out;
  for (const Attached& each : world.attached) {
    const bool its = std::any_of(each.host_ends.begin(), each.host_ends.end(),
                                 [&](const net::Link& end) { return links.contains(end.index); });
    if (its && known.attached.contains(each.who)) out.insert(each.who);
  }
  for (const net::Link& link : world.links) {
    const auto owner = links.contains(link.index) ? attachment::owner_in_alias(link.alias) : std::nullopt;
    if (owner && known.attached.contains(*owner)) out.insert(*owner);
  }
  return out;
}

bool has(const Report& report, const std::string& kind) {
  return std::any_of(report.findings().begin(), report.findings().end(),
                     [&](const Finding& each) { return each.kind == kind; });
}

// Who was given up may have been mended without us, or before its interface was whole.
bool has_helped(const Report& report) { return has(report, "put-back") || has(report, "well-again"); }

class Watch {
 public:
  Watch(const ResyncOptions& options, const protocol::Environment& environment, Ears ears)
      : options_(options), environment_(environment), ears_(std::move(ears)) {}

  // Never well: it has no end of its own.
  Status run() {
    CNIO_LET(const Sight first, look(options_));
    const Losses all{true};
    CNIO_TRY(repair(first.world, all, true));
    for (;;) CNIO_TRY(turn());
  }

 private:
  Status turn() {
    CNIO_LET(Heard heard, ears_.wait(-1));
    const auto begin = Clock::now();
    CNIO_LET(const Sight first, look(options_));
    const auto took = Clock::now() - begin;
    const Losses seen = lost(first, heard);
    if (!seen.any()) {
      know(first.inventory);
      rest(took);
      return {};
    }
    return look_again(seen, heard);
  }

  Status look_again(const Losses& seen, const Heard& heard) {
    std::this_thread::sleep_for(kSecondLook);
    CNIO_LET(const Sight second, look(options_));
    return repair(second.world, both(seen, lost(second, heard)), false);
  }

  [[nodiscard]] Losses lost(const Sight& now, const Heard& heard) const {
    Losses out = find_losses(known_, now.inventory);
    out.of_node = out.of_node || (heard.all() && !now.inventory.attached.empty());
    out.attached.merge(owners_of(heard.touched, known_, now.world));
    return out;
  }

  Status repair(const World& world, const Losses& losses, bool first) {
    if (losses.any()) {
      // Somebody touches what could not be mended, or the kernel tells of it a second late: tried again, and said only
      // if it helped.
      Owners again;
      if (!losses.of_node) {
        std::set_intersection(losses.attached.begin(), losses.attached.end(), given_up_.begin(), given_up_.end(),
                              std::inserter(again, again.end()));
      }
      const auto wanted = [&](const Attached& each) {
        return !again.contains(each.who) && (losses.of_node || losses.attached.contains(each.who));
      };
      Mending mended = mend(world, options_, environment_, wanted, given_up_);
      if (first || has_helped(mended.report) || has(mended.report, "lost")) CNIO_TRY(say(mended.report));
      if (!again.empty()) {
        const auto tried = [&](const Attached& each) { return again.contains(each.who); };
        Mending helped = mend(world, options_, environment_, tried, again);
        if (has_helped(helped.report)) CNIO_TRY(say(helped.report));
        mended.given_up.merge(helped.given_up);
      }
      if (losses.of_node) given_up_.clear();
      for (const firewall::RuleOwner& who : losses.attached) given_up_.erase(who);
      given_up_.merge(mended.given_up);
    }
    CNIO_LET(Sight after, look(options_));
    settle(std::move(after.inventory), losses);
    return {};
  }

  // What is missing of those that were mended cannot be mended. Others may have lost something meanwhile; its
  // notification still waits.
  void settle(Inventory after, const Losses& mended) {
    if (!mended.of_node) {
      for (auto& [who, words] : known_.attached) {
        if (!mended.attached.contains(who)) after.attached[who] = std::move(words);
      }
      after.node = std::move(known_.node);
    }
    know(std::move(after));
  }

  void know(Inventory now) {
    known_ = std::move(now);
    std::erase_if(given_up_, [&](const firewall::RuleOwner& who) { return !known_.attached.contains(who); });
  }

  [[nodiscard]] Status say(const Report& report) const {
    return write_all(STDOUT_FILENO, options_.json ? report.json() : report.text(), "stdout");
  }

  static void rest(Clock::duration took) {
    std::this_thread::sleep_for(std::min<Clock::duration>(took * kRestFactor, kLongestRest));
  }

  const ResyncOptions& options_;
  const protocol::Environment& environment_;
  Ears ears_;
  Inventory known_;  // what was there when it was looked at last, and nothing had to be done
  Owners given_up_;  // of whom something was missing still when they were to be mended last
};

}  // namespace

Outcome watch(const ResyncOptions& options, const protocol::Environment& environment) {
  auto ears = Ears::open();
  if (!ears.ok()) return failure(ears.error(), Exit::kBlind);
  const Status ended = Watch(options, environment, std::move(ears).value()).run();
  return ended.ok() ? Outcome{} : failure(ended.error(), Exit::kBlind);
}

}  // namespace cnio::cnioctl
