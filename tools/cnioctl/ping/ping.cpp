// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/ping/ping.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <linux/netlink.h>
#include <optional>
#include <poll.h>

#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/result.hpp"

#include "cnioctl/ping/echo.hpp"
#include "cnioctl/progress.hpp"
#include "cnioctl/recollection.hpp"
#include "cnioctl/sandboxes.hpp"

namespace cnio::cnioctl {
namespace {

using net::Sandbox;
using Clock = std::chrono::steady_clock;

constexpr size_t kAtOnce = 200;  // a process may have 1,024 files open
constexpr int kAttempts = 4;
constexpr std::chrono::milliseconds kPatience{1'000};

// A way that ADD has reported, by the words of its result.
std::vector<Echo::Way> ways_of(const Attached& attached, const protocol::AddResult& result) {
  std::vector<Echo::Way> out;
  for (const protocol::IpConfig& ip : result.ips) {
    const Family family = ip.address.family();
    const auto leads_out = [&](const protocol::Route& route) { return route.dst.family() == family; };
    // Without either, the gateway is an address that nobody has to have.
    const bool used = (attached.setup && attached.setup->gateway) ||
                      std::any_of(result.routes.begin(), result.routes.end(), leads_out);
    if (ip.gateway && used) out.push_back({ip.address.addr, *ip.gateway, net::IfIndex::kNone});
  }
  return out;
}

Result<protocol::AddResult> result_of(const Remembered& remembered) {
  const auto version = protocol::parse_version(remembered.version);
  if (!version || remembered.result.is_null()) {
    return Error::make(Code::kUnknownContainer, "what ADD has reported is not known");
  }
  return protocol::parse_result(remembered.result, *version, "the result of ADD", Code::kDecode);
}

// A sandbox, and the number that the end of the host's cable has in it.
struct Pod {
  Sandbox sandbox;
  net::IfIndex link;
};

// Paths are names, which may be another's by now; a cable leads where it led.
Result<std::optional<Pod>> open_pod(net::Netlink& host, const Attached& attached, const std::string& path) {
  CNIO_LET(std::optional<Sandbox> sandbox, Sandbox::find(path));
  for (const net::Link& each : attached.host_ends) {
    CNIO_LET(const std::optional<net::Link> end, net::find_link(host, each.index));
    if (!sandbox || !end || end->name != each.name || !end->peer_namespace) continue;
    CNIO_LET(const bool its, sandbox->holds_peer_of(host, *end));
    if (its) return std::optional(Pod{*std::move(sandbox), end->peer});
  }
  return std::optional<Pod>();
}

std::string where_of(const Attached& attached) { return attached.name() + " (" + attached.who.text() + ")"; }

// An echo that is waited for.
struct Question {
  std::string where;
  IpAddr to;
  Echo echo;
  bool answered = false;
  std::string trouble = {};  // why the last one could not be sent
};

class Pinger {
 public:
  Pinger(net::Netlink& host, Report& report, size_t pods)
      : host_(host), report_(report), sandboxes_(find_sandboxes(report)), progress_("ping", pods) {}

  void ask(const Attached& attached) {
    progress_.step();
    const Status prepared = prepare(attached);
    if (!prepared.ok()) report_.blind(where_of(attached), prepared.error());
    if (questions_.size() >= kAtOnce) settle();
  }

  // Asks what has been prepared, and says who has no answer.
  void settle() {
    for (int attempt = 0; attempt < kAttempts && is_open(); ++attempt) {
      send();
      wait();
    }
    for (const Question& each : questions_) {
      if (!each.answered) say(each.where, each.to, each.trouble);
    }
    questions_.clear();
  }

 private:
  Status prepare(const Attached& attached) {
    const auto remembered = remember_live(attached, sandboxes_);
    const auto result =
        remembered.ok() ? result_of(remembered.value()) : Result<protocol::AddResult>(remembered.error());
    if (!result.ok()) return note(attached, result.error().msg());
    const std::vector<Echo::Way> ways = ways_of(attached, result.value());
    if (ways.empty()) return {};
    CNIO_LET(const auto pod, open_pod(host_, attached, sandbox_of(attached, sandboxes_)));
    if (!pod) return note(attached, "no cable tells which sandbox is its own");
    for (Echo::Way way : ways) {
      way.link = pod->link;
      auto echo = Echo::open(pod->sandbox.netns(), way);
      if (echo.ok()) {
        questions_.push_back({where_of(attached), way.to, std::move(echo).value()});
        continue;
      }
      if (echo.error().code() != Code::kConflict) return echo.error();
      say(where_of(attached), way.to, echo.error().msg());
    }
    return {};
  }

  Status note(const Attached& attached, const std::string& why) {
    report_.add({Level::kNote, where_of(attached), "cannot be pinged from: " + why, "no-ping"});
    return {};
  }

  void say(const std::string& where, const IpAddr& to, const std::string& trouble) {
    const std::string why = trouble.empty() ? "" : ": " + trouble;
    report_.add({Level::kError, where, "no echo from its gateway " + to.to_string() + why, "no-echo"});
  }

  [[nodiscard]] bool is_open() const {
    return std::any_of(questions_.begin(), questions_.end(), [](const Question& each) { return !each.answered; });
  }

  void send() {
    for (Question& each : questions_) {
      if (each.answered) continue;
      const Status sent = each.echo.send();
      each.trouble = sent.ok() ? std::string() : sent.error().msg();
    }
  }

  // Until all have answered, or it has been long enough.
  void wait() {
    const auto end = Clock::now() + kPatience;
    while (is_open()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
      if (left <= 0 || !hear(static_cast<int>(left))) return;
    }
  }

  // False: nothing has come.
  bool hear(int timeout_ms) {
    std::vector<pollfd> waiting;
    for (const Question& each : questions_) waiting.push_back({each.answered ? -1 : each.echo.fd(), POLLIN, 0});
    const int count = poll(waiting.data(), waiting.size(), timeout_ms);
    if (count <= 0) return count < 0 && errno == EINTR;
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents != 0) questions_[i].answered = questions_[i].echo.receive();
    }
    return true;
  }

  net::Netlink& host_;
  Report& report_;
  std::map<int, std::string> sandboxes_;
  Progress progress_;
  std::vector<Question> questions_;
};

}  // namespace

void ping(const std::vector<const Attached*>& pods, Report& report) {
  auto host = net::Netlink::open(NETLINK_ROUTE);
  if (!host.ok()) return report.blind("ping", host.error());
  Pinger pinger(host.value(), report, pods.size());
  for (const Attached* each : pods) pinger.ask(*each);
  pinger.settle();
}

}  // namespace cnio::cnioctl
