// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/judge.hpp"

namespace cnio::test {

/// What the stand-in IPAM plugin does when it is called with one command.
struct FakeAnswer {
  std::string out{};
  std::string err{};
  int exit_code = 0;
  int signal = 0;        ///< ends by this signal after printing
  bool endless = false;  ///< repeats `out` for ever
  std::string hook{};    ///< shell command that is run before answering, until it succeeds
};

/// One call that the stand-in received.
struct FakeCall {
  std::string command;
  std::string stdin_bytes;
  std::map<std::string, std::string> env;
  std::map<int, std::string> descriptors;  ///< open ones, and what they lead to
  std::string netns;                       ///< identity of the network namespace it ran in ("net:[4026531840]")
};

/// A folder with an IPAM plugin that answers as told and records what it was given.
class FakeIpam {
 public:
  /// `type`: its `ipam.type`. What a main plugin knows of one of that name holds for it, too.
  explicit FakeIpam(const std::string& type = "fake-ipam");

  /// Answers of the command: one for each call in turn, the last one for all further calls. Without an answer a
  /// command succeeds silently.
  void script(const std::string& command, const std::vector<FakeAnswer>& answers);

  /// Always the same result, or error object.
  void answer(const std::string& command, const Json& result);
  void fail(const std::string& command, const Json& error);

  std::vector<FakeCall> calls() const;
  /// The commands of calls(), in order.
  std::vector<std::string> commands() const;

  /// Value for CNI_PATH under which the plugin is found, and the environment it needs.
  std::string path() const { return folder_ + "/bin"; }
  std::map<std::string, std::string> environment() const { return {{"CNIO_FAKE_IPAM_FOLDER", folder_}}; }

 private:
  std::string folder_;
};

}  // namespace cnio::test
