// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What limits come to, by the kernel's own counters: bytes that have passed against tokens that have come in.
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/bandwidth_fixture.hpp"
#include "support/netns.hpp"
#include "support/socket_address.hpp"

namespace cnio::test {
namespace {

constexpr double kRate = 1'000'000;  // bytes a second
constexpr int kPort = 9;             // discard

/// One moment at a token bucket: the time lies between two looks at the clock.
struct Moment {
  double before = 0;
  double after = 0;
  int64_t bytes = 0;
  int64_t backlog = 0;
  int64_t overlimits = 0;
};

class BandwidthTraffic : public BandwidthTest {
 protected:
  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  static Moment look(const std::string& link) {
    Moment moment;
    moment.before = now();
    const Json all = Json::parse(must_run({"tc", "-j", "-s", "qdisc", "show", "dev", link}));
    moment.after = now();
    for (const Json& qdisc : all) {
      if (!qdisc.value("root", false)) continue;
      moment.bytes = qdisc.at("bytes").get<int64_t>();
      moment.backlog = qdisc.at("backlog").get<int64_t>();
      moment.overlimits = qdisc.at("overlimits").get<int64_t>();
    }
    return moment;
  }

  /// Sends datagrams as fast as it can, from a namespace to an address, until it goes.
  class Flood {
   public:
    Flood(const std::string& netns, const std::string& address) : pid_(::fork()) {
      if (pid_ == 0) send(netns, address);
    }
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;
    ~Flood() {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }

   private:
    [[noreturn]] static void send(const std::string& netns, const std::string& address) {
      if (!enter(netns)) ::_exit(1);
      const int fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
      const sockaddr_in6 to = socket_address(address, kPort);
      const std::array<char, 1'400> data{};
      for (;;) {
        (void)::sendto(fd, data.data(), data.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), sizeof to);
      }
    }

    pid_t pid_;
  };

  /// What passes while more is sent than may pass: as many bytes as tokens come in, within a tenth. The bucket holds
  /// two seconds of tokens, so that a machine that does not let the sender work for a moment takes nothing away; it is
  /// emptied first.
  static void expect_rate(const std::string& link, const std::string& from, const std::string& to) {
    const Flood flood(from, to);
    ASSERT_TRUE(happens([&] { return look(link).overlimits > 0; })) << root(link);
    const Moment first = look(link);
    Moment last = first;
    ASSERT_TRUE(happens([&] {
      last = look(link);
      return static_cast<double>(last.bytes - first.bytes) > 2 * kRate;
    })) << root(link);
    const auto passed = static_cast<double>(last.bytes - first.bytes);
    EXPECT_LE(passed, 1.1 * kRate * (last.after - first.before)) << "more than the limit";
    EXPECT_GE(passed, 0.9 * kRate * (last.before - first.after)) << "less than the limit";
  }
};

const int64_t kTwoSeconds = 16'000'000;

TEST_F(BandwidthTraffic, WhatThePodReceivesIsLimited) {
  PARITY("T-U33");
  const Attachment c1 = pod();
  const Json made = limited(c1, limits(8'000'000, kTwoSeconds, 0, 0));
  expect_rate(host_end_of(made), "", "10.1.0.2");
}

TEST_F(BandwidthTraffic, WhatThePodSendsIsLimited) {
  PARITY("T-U33");
  const Attachment c1 = pod();
  const Json made = limited(c1, limits(0, 0, 8'000'000, kTwoSeconds));
  expect_rate(ifb_of(made), c1.netns, "10.1.0.1");
}

// Whatever is sent, no more waits than 25 ms take, and one frame.
TEST_F(BandwidthTraffic, NothingWaitsLongerThanItMay) {
  PARITY("T-U31 U20");
  const Attachment c1 = pod();
  const Json made = limited(c1, limits(8'000'000, 4'294'967'295, 8'000'000, 34'359'738'359));
  for (const auto& [link, from, to] :
       {std::tuple<std::string, std::string, std::string>(host_end_of(made), "", "10.1.0.2"),
        {ifb_of(made), c1.netns, "10.1.0.1"}}) {
    const Flood flood(from, to);
    ASSERT_TRUE(happens([&, name = link] { return look(name).overlimits > 100; }));
    for (int turn = 0; turn < 20; ++turn) {
      int64_t waits = 0;
      ASSERT_TRUE(happens([&, name = link] { return (waits = look(name).backlog) > 0; }))
          << "the sender is not let work";
      EXPECT_LE(waits, 26'518);
    }
  }
}

/// One message, which the kernel makes datagrams of, on the way out of the namespace or even later (UDP_SEGMENT): so a
/// program's TCP goes, too.
bool send_at_once(const std::string& netns, const std::string& address, int datagrams) {
  constexpr int kSize = 1'400;
  return in_netns(netns, [&] {
    const int fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
    const sockaddr_in6 to = socket_address(address, kPort);
    const std::string data(static_cast<size_t>(kSize) * static_cast<size_t>(datagrams), 'x');
    return ::setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &kSize, sizeof kSize) == 0 &&
           ::sendto(fd, data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) ==
               static_cast<ssize_t>(data.size());
  });
}

// The queue holds 26518 bytes, the bucket 100000: what is larger than the queue would be dropped whole by an empty one.
TEST_F(BandwidthTraffic, WhatIsSentAtOnceIsCutAndNotDropped) {
  PARITY("T-U33 U20");
  const Attachment c1 = pod();
  const Json made = limited(c1, limits(8'000'000, 4'294'967'295, 8'000'000, 4'294'967'295));
  EXPECT_TRUE(ping(c1.netns, "10.1.0.1"));
  EXPECT_TRUE(ping("", "10.1.0.2"));
  for (const auto& [link, from, to] :
       {std::tuple<std::string, std::string, std::string>(host_end_of(made), "", "10.1.0.2"),
        {ifb_of(made), c1.netns, "10.1.0.1"}}) {
    const int64_t before = look(link).bytes;
    ASSERT_TRUE(send_at_once(from, to, 28));
    EXPECT_TRUE(happens([&, name = link] { return look(name).bytes - before > 17 * 1'400; })) << root(link);
  }
}

}  // namespace
}  // namespace cnio::test
