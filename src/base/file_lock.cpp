// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/file_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/file.h>
#include <sys/time.h>

#include "cnio/base/interrupted.hpp"

namespace cnio {
namespace {

using Clock = std::chrono::steady_clock;

timeval to_timeval(std::chrono::milliseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {seconds.count(), std::chrono::microseconds(time - seconds).count()};
}

// While it lives, SIGALRM interrupts blocking system calls after `limit`, and does nothing else. It comes again and
// again from then on, since the first one may arrive just before the call to be interrupted. Handler, mask and timer of
// the process are put back at the end; a timer that was running goes on with the time it had left.
class AlarmScope {
 public:
  explicit AlarmScope(std::chrono::milliseconds limit) {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // no SA_RESTART: the call must end
    sigaction(SIGALRM, &action, &old_action_);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm, &old_mask_);
    using std::chrono_literals::operator""ms;
    const itimerval timer{to_timeval(50ms), to_timeval(std::max(limit, 1ms))};
    setitimer(ITIMER_REAL, &timer, &old_timer_);
  }
  ~AlarmScope() {
    const int saved = errno;
    setitimer(ITIMER_REAL, &old_timer_, nullptr);
    sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
    sigaction(SIGALRM, &old_action_, nullptr);
    errno = saved;
  }
  AlarmScope(const AlarmScope&) = delete;
  AlarmScope& operator=(const AlarmScope&) = delete;

 private:
  struct sigaction old_action_ {};
  sigset_t old_mask_{};
  itimerval old_timer_{};
};

std::string seconds_text(std::chrono::milliseconds time) {
  std::string text = std::to_string(time.count() / 1000);
  if (const auto rest = time.count() % 1000; rest != 0) text.append(".").append(std::to_string(1000 + rest), 1);
  return text + " s";
}

// For people who look for the holder.
std::string who_holds(const std::string& shown) {
  if (!shown.starts_with('/')) return "/proc/locks lists who holds it";
  return std::string("`fuser -v ").append(shown).append("` shows who holds it");
}

}  // namespace

Status lock_file(int fd, const std::string& shown, std::chrono::milliseconds limit, LockKind kind) {
  const int operation = kind == LockKind::kAlone ? LOCK_EX : LOCK_SH;
  // The rule is a free lock, and then one call is enough.
  if (retry_interrupted([&] { return flock(fd, operation | LOCK_NB); }) == 0) return {};
  if (errno != EWOULDBLOCK) return Error::sys("lock " + shown, errno);

  const auto deadline = Clock::now() + limit;
  const AlarmScope alarm(limit);
  while (flock(fd, operation) != 0) {
    if (errno != EINTR) return Error::sys("lock " + shown, errno);
    if (Clock::now() < deadline) continue;
    return Error::make(Code::kTryAgain,
                       "lock " + shown + ": still held by another process after " + seconds_text(limit),
                       who_holds(shown));
  }
  return {};
}

}  // namespace cnio
