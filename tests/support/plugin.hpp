// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/judge.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {

/// Where the parts under test lie. Each has an environment variable that wins over the compiled-in place, so that
/// the same program can run elsewhere (a virtual machine) or judge another implementation.
std::string plugin_dir();         ///< CNIO_PLUGIN_DIR
std::string examples_dir();       ///< CNIO_EXAMPLES_DIR
std::string test_data_dir();      ///< CNIO_TEST_DATA_DIR
std::string fake_ipam_program();  ///< CNIO_FAKE_IPAM

/// The names of all plugins, in the order of plugins/CMakeLists.txt.
std::vector<std::string> all_plugins();

/// The reference implementation's plugins: CNIO_REFERENCE_DIR or Debian's containernetworking-plugins. Throws if
/// neither is there: a comparison that did not take place has failed.
std::string reference_dir();

/// What a runtime says about one interface of one container.
struct Attachment {
  std::string container = "c1";
  std::string netns;
  std::string ifname = "eth0";
  std::string args;
};

/// The environment and standard streams of one plugin call, as a runtime would make them.
struct Call {
  std::string plugin;
  std::string command;
  Attachment attachment;
  std::string config;
};

/// How often a test of chance does the same: `many` times, or a thirtieth and two if CNIO_FEWER_ROUNDS is set, as it is
/// for sanitized plugins. What many rounds look for, two processes that meet at the wrong moment, is looked for at the
/// speed that plugins have on nodes; sanitizers see in the first rounds what they can see.
int rounds(int many);

/// The command of a call; change it at will before run().
Command plugin_command(const Call& call);

/// Shorthands: run the installed plugin of the configuration's own `type`.
Outcome add(const Json& config, const Attachment& attachment);
Outcome del(const Json& config, const Attachment& attachment);
Outcome check(const Json& config, const Attachment& attachment);
Outcome status(const Json& config);
Outcome gc(const Json& config);

/// ADD that has to succeed; returns the result.
Json must_add(const Json& config, const Attachment& attachment);
/// DEL that has to succeed.
void must_del(const Json& config, const Attachment& attachment);

/// The configuration as a runtime passes it to CHECK and DEL.
Json with_prev_result(Json config, const Json& result);

/// Exit 0 and, but for ADD and VERSION, nothing on stdout.
::testing::AssertionResult succeeded(const Outcome& outcome);
::testing::AssertionResult succeeded_silently(const Outcome& outcome);

/// Exit 1 and exactly one JSON object on stdout: cniVersion, the code, a one-line msg, perhaps details. Each word
/// must occur in msg or details.
::testing::AssertionResult failed(const Outcome& outcome, int code, const std::vector<std::string>& words = {});

/// Codes of the specification and of cnio.
namespace code {
inline constexpr int kVersion = 1;
inline constexpr int kUnsupported = 2;
inline constexpr int kEnvironment = 4;
inline constexpr int kIo = 5;
inline constexpr int kDecoding = 6;
inline constexpr int kConfig = 7;
inline constexpr int kOwnNamespace = 8;
inline constexpr int kTryAgain = 11;
inline constexpr int kUnavailable = 50;
inline constexpr int kKernel = 100;
inline constexpr int kIpam = 101;
inline constexpr int kNoAddress = 102;
inline constexpr int kInTheWay = 103;
inline constexpr int kCheck = 104;
}  // namespace code

}  // namespace cnio::test
