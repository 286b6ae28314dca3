// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Times whole processes, from before the start to after the end, with no interpreter in between.
//
// Reads requests from standard input and answers each on standard output, one JSON object a line:
//   {"calls": [{"argv": [...], "env": {...}, "stdin": "..."}, ...], "at_once": 50}
//   {"ns": 7300000, "calls": [{"ns": 2300000, "status": 0, "out": "..."}, ...]}
// "ns" of all is from the first start to the last end. Status is the exit status, or -signal.
//
// A call may go on with "then": [{"argv": [...], "stdin": "..."}, ...], as the plugins of a list do, each with what the
// one before it has printed as its "prevResult" if "passes" is true. The first that fails ends it.
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
  explicit Call(const Json& call) : passes_(call.value("passes", false)) {
    for (const auto& [name, value] : call.at("env").items()) {
      settings_.push_back(name + "=" + value.get<std::string>());
    }
    for (std::string& setting : settings_) env_.push_back(setting.data());
    env_.push_back(nullptr);
    steps_.push_back(step_of(call));
    for (const Json& step : call.value("then", Json::array())) steps_.push_back(step_of(step));
    make_ready(steps_.front());
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { close_files(); }

  pid_t start() {
    if (next_ == 0) begun_ = Clock::now();
    ++next_;
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

  // True if it goes on.
  bool ended(int status) {
    ns_ = nanoseconds(Clock::now() - begun_);
    status_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    if (status_ != 0 || next_ == steps_.size()) return false;
    Step& step = steps_[next_];
    if (passes_) {
      Json config = Json::parse(step.in);
      config["prevResult"] = Json::parse(out());
      step.in = config.dump();
    }
    make_ready(step);
    return true;
  }

  [[nodiscard]] Json report() const { return {{"ns", ns_}, {"status", status_}, {"out", out()}}; }

 private:
  struct Step {
    std::vector<std::string> words;
    std::string in;
  };

  static Step step_of(const Json& said) {
    return {said.at("argv").get<std::vector<std::string>>(), said.value("stdin", "")};
  }

  void make_ready(Step& step) {
    close_files();
    in_ = memory_file(step.in);
    out_ = memory_file("");
    argv_.clear();
    for (std::string& word : step.words) argv_.push_back(word.data());
    argv_.push_back(nullptr);
  }

  void close_files() {
    if (in_ >= 0) close(in_);
    if (out_ >= 0) close(out_);
  }

  [[nodiscard]] std::string out() const {
    std::string out(1 << 16, '\0');
    const ssize_t size = pread(out_, out.data(), out.size(), 0);
    out.resize(size > 0 ? static_cast<size_t>(size) : 0);
    return out;
  }

  bool passes_;
  std::vector<std::string> settings_;
  std::vector<char*> env_;
  std::vector<Step> steps_;
  size_t next_ = 0;
  std::vector<char*> argv_;
  int in_ = -1;
  int out_ = -1;
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
      Call* call = ended->second;
      running.erase(ended);
      if (call->ended(status)) running[call->start()] = call;
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
