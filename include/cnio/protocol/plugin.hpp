// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/protocol/failures.hpp"
#include "cnio/protocol/keys.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::protocol {

// The verbs of a plugin. All are named: a verb that has nothing to do says so with `nothing_to_do`.
struct Plugin {
  std::string_view name;            // "bridge": in messages and the version line, whatever the file is called
  std::string_view about;           // one line for --help
  std::string_view example_config;  // a configuration to copy, for --help

  // Registers in `undo` whatever it changes; run_plugin undoes it if ADD fails or its answer cannot be written.
  std::function<Result<AddResult>(const Request&, Rollback& undo)> add;
  std::function<Status(const Request&)> del;
  std::function<Status(const Request&)> check;
  std::function<Status(const Request&)> status;
  std::function<Status(const Request&)> gc;
  // What the host has lost under a container that lives (rules, its bridge, a port, addresses, forwarding) is made
  // again, as ADD made it; the request is an ADD's, with the prevResult of CHECK. Nothing in the sandbox is changed,
  // nothing that stands is rewritten, and what is done stays done. `cnioctl resync` calls it (kRepairCommand), no
  // runtime does. Returns what CHECK had found; nothing if that is well. Error: what it finds even now. None: the
  // plugin has nothing on the host.
  std::function<Result<std::string>(const Request&)> repair = {};

  Keys keys = {};  // of its own; kCommonKeys come besides
};

// In CNI_COMMAND: verbs of ours besides those of the specification.
inline constexpr std::string_view kRepairCommand = "CNIO_REPAIR";
// The same of several attachments, since a process for each would take longer than their repair. Each line of stdin is
// a RepairLine, and each line of the answer that of one, in order, written as soon as it is known.
inline constexpr std::string_view kRepairEachCommand = "CNIO_REPAIR_EACH";

// What kRepairCommand takes from the environment and from stdin.
struct RepairLine {
  Attachment attachment;
  std::string netns_path;
  std::string cni_args;  // may be empty
  std::string config;    // JSON

  // One line, with its end.
  [[nodiscard]] std::string format() const;
  // Errors: code 6.
  static Result<RepairLine> parse(std::string_view line);
};
inline constexpr size_t kMaxStdin = 1 << 20;  // bytes that a plugin reads

// One line on standard error, for people: what a call did, or did not, besides its answer.
void note(std::string_view plugin, std::string_view text);

// A verb without work, with the reason for the reader.
std::function<Status(const Request&)> nothing_to_do(std::string_view why);

// Descriptors 0, 1 and 2 in a plugin; files in tests.
struct Streams {
  int in = 0;
  int out = 1;
  int err = 2;
};

// Hears of a verb of the specification that has failed, once its answer is out.
using KeepFailure = std::function<void(const Failure&)>;

// One call from environment to exit status: parses, checks the version, runs the verb, writes the one JSON answer.
// Without CNI_COMMAND it says what it is: with --help or --version on standard output, else on standard error, where
// programs look for it. Nothing escapes it: every failure, exceptions of libraries included, becomes an error object
// and status 1.
int run_plugin(const Plugin& plugin, int argc, const char* const* argv, const Environment& environment,
               const Streams& streams, const KeepFailure& keep = {});

// The `main` of a plugin.
int plugin_main(const Plugin& plugin, int argc, const char* const* argv);

}  // namespace cnio::protocol
