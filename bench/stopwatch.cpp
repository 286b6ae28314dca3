// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Times whole processes, from before the start to after the end, with no interpreter in between.
//
// Reads requests from standard input and answers each on standard output, one JSON object a line:
//   {"calls": [{"argv": [...], "env": {...}, "stdin": "..."}, ...], "at_once": 50}
//   {"ns": 7300000, "calls": [{"ns": 2300000, "status": 0, "out": "..."}, ...]}
// "ns" of all is from the first start to the last end. Status is the exit status, or -signal.
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

int memory_file(const std::string& content) {
  const int fd = memfd_create("stream", MFD_CLOEXEC);
  if (fd < 0) fail("memfd_create");
  if (write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) fail("write");
  if (lseek(fd, 0, SEEK_SET) < 0) fail("lseek");
  return fd;
}

int64_t nanoseconds(Clock::duration time) { return std::chrono::nanoseconds(time).count(); }

// A call, made ready so that nothing but the start is timed.
class Call {
 public:
  explicit Call(const Json& call)
      : words_(call.at("argv")), in_(memory_file(call.value("stdin", ""))), out_(memory_file("")) {
    for (const auto& [name, value] : call.at("env").items()) {
      settings_.push_back(name + "=" + value.get<std::string>());
    }
    for (std::string& word : words_) argv_.push_back(word.data());
    for (std::string& setting : settings_) env_.push_back(setting.data());
    argv_.push_back(nullptr);
    env_.push_back(nullptr);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    close(in_);
    close(out_);
  }

  pid_t start() {
    begun_ = Clock::now();
    const pid_t pid = vfork();
    if (pid == 0) {
      dup2(in_, STDIN_FILENO);
      dup2(out_, STDOUT_FILENO);
      execve(argv_[0], argv_.data(), env_.data());
      _exit(127);
    }
    if (pid < 0) fail("vfork");
    return pid;
  }

  void ended(int status) {
    ns_ = nanoseconds(Clock::now() - begun_);
    status_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }

  [[nodiscard]] Json report() const {
    std::string out(1 << 16, '\0');
    const ssize_t size = pread(out_, out.data(), out.size(), 0);
    out.resize(size > 0 ? static_cast<size_t>(size) : 0);
    return {{"ns", ns_}, {"status", status_}, {"out", out}};
  }

 private:
  std::vector<std::string> words_;
  std::vector<std::string> settings_;
  std::vector<char*> argv_;
  std::vector<char*> env_;
  int in_;
  int out_;
  Clock::time_point begun_;
  int64_t ns_ = 0;
  int status_ = 0;
};

Json answer(const Json& request) {
  std::vector<std::unique_ptr<Call>> calls;
  for (const Json& call : request.at("calls")) calls.push_back(std::make_unique<Call>(call));
  const size_t at_once = request.value("at_once", size_t{1});
  std::map<pid_t, Call*> running;
  const auto begun = Clock::now();
  for (size_t next = 0; next < calls.size() || !running.empty();) {
    if (next < calls.size() && running.size() < at_once) {
      Call* call = calls[next++].get();
      running[call->start()] = call;
      continue;
    }
    int status = 0;
    const pid_t pid = wait(&status);
    if (pid < 0) fail("wait");
    if (const auto ended = running.find(pid); ended != running.end()) {
      ended->second->ended(status);
      running.erase(ended);
    }
  }
  Json reports = Json::array();
  const int64_t all = nanoseconds(Clock::now() - begun);
  for (const auto& call : calls) reports.push_back(call->report());
  return {{"ns", all}, {"calls", reports}};
}

}  // namespace

int main() {
  try {
    for (std::string line; std::getline(std::cin, line);) std::cout << answer(Json::parse(line)).dump() << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "stopwatch: " << error.what() << "\n";
    return 1;
  }
}
