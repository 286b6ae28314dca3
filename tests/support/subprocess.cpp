// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/subprocess.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "support/calls.hpp"

namespace cnio::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{60};
constexpr std::size_t kMostOutput = 64U << 20U;
constexpr int kCannotStart = 127;

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  return {ends[0], ends[1]};
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// Everything below runs between fork and exec: the process has one thread, so any call is allowed, but the only
// way to report is to write and leave.
[[noreturn]] void give_up(const char* what) {
  const int error = errno;
  ::dprintf(STDERR_FILENO, "test harness: %s: %s\n", what, std::generic_category().message(error).c_str());
  ::_exit(kCannotStart);
}

void redirect(const std::string& path, int flags, int fallback, int target) {
  const int fd = path.empty() ? fallback : ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0 || ::dup2(fd, target) < 0) give_up(path.c_str());
}

int broken_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up("pipe2");
  ::close(ends[0]);
  return ends[1];
}

void enter_world(const Command& command) {
  if (!command.netns.empty()) {
    const int fd = ::open(command.netns.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::setns(fd, CLONE_NEWNET) != 0) give_up(command.netns.c_str());
  }
  if (!command.binds.empty() && ::unshare(CLONE_NEWNS) != 0) give_up("unshare");
  for (const BindMount& bind : command.binds) {
    if (::mount(bind.source.c_str(), bind.target.c_str(), nullptr, MS_BIND, nullptr) != 0) give_up("bind mount");
  }
  if (!command.cwd.empty() && ::chdir(command.cwd.c_str()) != 0) give_up(command.cwd.c_str());
}

[[noreturn]] void become(const Command& command, const Pipe& in, const Pipe& out, const Pipe& err) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  ::signal(SIGPIPE, SIG_DFL);
  redirect("", 0, err.write, STDERR_FILENO);
  redirect(command.stdin_path, O_RDONLY, in.read, STDIN_FILENO);
  redirect(command.stdout_path, O_WRONLY, command.stdout_broken ? broken_pipe() : out.write, STDOUT_FILENO);
  enter_world(command);
  std::vector<std::string> settings;
  for (const auto& [name, value] : command.env) settings.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (std::string& setting : settings) envp.push_back(setting.data());
  envp.push_back(nullptr);
  std::vector<std::string> words = command.argv;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvpe(argv[0], argv.data(), envp.data());
  give_up(argv[0]);
}

/// Appends what is there to read; false at the end of the stream.
bool drain(int fd, std::string& text) {
  std::array<char, 65536> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  text.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

std::string describe(const Outcome& outcome) {
  std::string text = "exit code " + std::to_string(outcome.exit_code);
  if (outcome.signal != 0) text += ", signal " + std::to_string(outcome.signal);
  if (outcome.timed_out) text += ", did not end in time";
  return text + "\n  stdout: " + outcome.out.substr(0, 4000) + "\n  stderr: " + outcome.err.substr(0, 4000);
}

bool happens(const std::function<bool()>& what) {
  const auto deadline = Clock::now() + kPatience;
  while (!what()) {
    if (Clock::now() > deadline) return false;
    ::sched_yield();
  }
  return true;
}

Child::Child(const Command& command) : pending_(command.stdin_text) {
  ::signal(SIGPIPE, SIG_IGN);
  record_call(command);
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) become(command, in, out, err);
  ::setpgid(pid_, pid_);  // also here: whoever runs first makes the group
  close_fd(in.read);
  close_fd(out.write);
  close_fd(err.write);
  in_ = in.write;
  out_ = out.read;
  err_ = err.read;
  ::fcntl(in_, F_SETFL, O_NONBLOCK);
  feed();
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      pending_(std::move(other.pending_)) {}

Child::~Child() {
  close_fd(in_);
  close_fd(out_);
  close_fd(err_);
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::feed() {
  while (in_ >= 0 && !pending_.empty()) {
    const ssize_t put = ::write(in_, pending_.data(), pending_.size());
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) break;  // the reader is gone, as a plugin that refuses its input may be
    pending_.erase(0, static_cast<std::size_t>(put));
  }
  close_fd(in_);
}

Outcome Child::wait() {
  Outcome outcome;
  const auto deadline = Clock::now() + kPatience;
  while (out_ >= 0 || err_ >= 0) {
    std::array<pollfd, 3> fds{{{out_, POLLIN, 0}, {err_, POLLIN, 0}, {in_, POLLOUT, 0}}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 || outcome.out.size() + outcome.err.size() > kMostOutput) {
      outcome.timed_out = true;
      ::kill(-pid_, SIGKILL);
      break;
    }
    if (::poll(fds.data(), fds.size(), static_cast<int>(left)) <= 0) continue;
    if (fds[0].revents != 0 && !drain(out_, outcome.out)) close_fd(out_);
    if (fds[1].revents != 0 && !drain(err_, outcome.err)) close_fd(err_);
    if (fds[2].revents != 0) feed();
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  return outcome;
}

Outcome run(const Command& command) { return Child(command).wait(); }

std::string must_feed(const std::vector<std::string>& argv, const std::string& text, const std::string& netns) {
  Command command;
  command.argv = argv;
  command.netns = netns;
  command.stdin_text = text;
  const Outcome outcome = run(command);
  if (outcome.exit_code == 0) return outcome.out;
  std::string words;
  for (const std::string& word : argv) words += word + " ";
  throw std::runtime_error(words + "failed: " + describe(outcome));
}

std::string must_run(const std::vector<std::string>& argv, const std::string& netns) {
  return must_feed(argv, "", netns);
}

}  // namespace cnio::test
