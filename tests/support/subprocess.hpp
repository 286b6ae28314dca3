// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace cnio::test {

/// Makes one path appear as another for the command only (each node of a cluster has its own /var/lib/cni).
struct BindMount {
  std::string source;
  std::string target;
};

/// A program to run: no shell, no inherited environment, nothing but what stands here.
struct Command {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C"}};
  std::string stdin_text{};
  std::string stdin_path{};    ///< opened as stdin instead of feeding stdin_text
  std::string stdout_path{};   ///< opened as stdout instead of capturing it (/dev/full)
  bool stdout_broken = false;  ///< stdout is a pipe that nobody reads: the caller has died
  std::string cwd{};
  std::string netns{};  ///< path of the network namespace to run in; empty: the caller's
  std::vector<BindMount> binds{};
};

struct Outcome {
  int exit_code = -1;  ///< -1 if the program ended by a signal
  int signal = 0;
  bool timed_out = false;  ///< killed by us: it did not end, or left someone behind who holds its output open
  std::string out;
  std::string err;
};

/// Everything about an outcome, for failure messages.
std::string describe(const Outcome& outcome);

/// Does it become true, within patience? For what tells nobody that it happens.
bool happens(const std::function<bool()>& what);

/// A running command. Its whole process group dies with this object.
class Child {
 public:
  explicit Child(const Command& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }

  /// Feeds what is left of stdin, reads all output and waits for the end.
  Outcome wait();

 private:
  void feed();

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string pending_;
};

Outcome run(const Command& command);

/// Runs a tool that has to succeed and returns its stdout; throws with everything about it otherwise.
std::string must_run(const std::vector<std::string>& argv, const std::string& netns = "");

/// As must_run(), with text on stdin (`nft -f -`).
std::string must_feed(const std::vector<std::string>& argv, const std::string& text, const std::string& netns = "");

}  // namespace cnio::test
