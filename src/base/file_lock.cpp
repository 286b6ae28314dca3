// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/file_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <functional>
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

// Is another process in the way? Both kinds of locks have a number for that.
bool is_held(int errnum) { return errnum == EWOULDBLOCK || errnum == EACCES; }

// For people who look for the holder.
std::string who_holds(const std::string& shown) {
  if (!shown.starts_with('/')) return "/proc/locks lists who holds it";
  return std::string("`fuser -v ").append(shown).append("` shows who holds it");
}

// `attempt` tries once, waiting in the kernel or not; its errno tells why it failed.
Status lock_by(const std::function<int(bool wait)>& attempt, const std::string& shown,
               std::chrono::milliseconds limit) {
  // The rule is a free lock, and then one call is enough.
  if (retry_interrupted([&] { return attempt(false); }) == 0) return {};
  if (!is_held(errno)) return Error::sys("lock " + shown, errno);

  const auto deadline = Clock::now() + limit;
  const AlarmScope alarm(limit);
  while (attempt(true) != 0) {
    if (errno != EINTR) return Error::sys("lock " + shown, errno);
    if (Clock::now() < deadline) continue;
    return Error::make(Code::kTryAgain,
                       "lock " + shown + ": still held by another process after " + seconds_text(limit),
                       who_holds(shown));
  }
  return {};
}

int change_byte(int fd, int64_t at, short type, bool wait) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = at;
  range.l_len = 1;
  return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);  // NOLINT(cppcoreguidelines-pro-type-vararg)
}

short type_of(LockKind kind) { return kind == LockKind::kAlone ? F_WRLCK : F_RDLCK; }

}  // namespace

Status lock_file(int fd, const std::string& shown, std::chrono::milliseconds limit, LockKind kind) {
  const int operation = kind == LockKind::kAlone ? LOCK_EX : LOCK_SH;
  return lock_by([&](bool wait) { return flock(fd, wait ? operation : operation | LOCK_NB); }, shown, limit);
}

Status lock_byte(int fd, int64_t at, const std::string& shown, std::chrono::milliseconds limit, LockKind kind) {
  return lock_by([&](bool wait) { return change_byte(fd, at, type_of(kind), wait); }, shown, limit);
}

Result<bool> try_lock_byte(int fd, int64_t at, const std::string& shown, LockKind kind) {
  if (retry_interrupted([&] { return change_byte(fd, at, type_of(kind), false); }) == 0) return true;
  if (is_held(errno)) return false;
  return Error::sys("lock " + shown, errno);
}

void unlock_byte(int fd, int64_t at) {
  const int saved = errno;
  (void)change_byte(fd, at, F_UNLCK, false);
  errno = saved;
}

}  // namespace cnio
