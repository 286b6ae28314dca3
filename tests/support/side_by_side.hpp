// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "support/twin.hpp"

// The reference and ours do the same; after each step everything that can be seen must be the same, but for differences
// that are declared, with a reason. A declared difference that does not show is a failure, too.
namespace cnio::test {

/// One step of a case, as text:
///   "ADD", "CHECK c2", "DEL c1 eth1"  a call for this attachment (else c1, eth0), which has to succeed in ours
///   "!ADD"                            the same, which ours has to refuse
///   "$ ip link add br0 type bridge"   a preparation: a command line on both hosts
///   "? ip netns exec c1 ping ..."     a question: what it prints, and its exit status, is compared
struct Step {
  // NOLINTNEXTLINE(google-explicit-constructor): tables are easier to read without the type's name.
  Step(const char* what, const char* config_patch = "{}", std::map<std::string, std::string> environment = {})
      : text(what), patch(config_patch), env(std::move(environment)) {}

  std::string text;
  std::string patch;                       ///< merged into the case's configuration; no JSON object: replaces its text
  std::map<std::string, std::string> env;  ///< over what a runtime would set; an empty value unsets
};

/// A difference on purpose: all differing lines that match are as meant.
struct Difference {
  std::string lines;   ///< regular expression
  std::string reason;  ///< one line for whoever reads the table
  std::string step{};  ///< the step it shows in ("CHECK"); empty: any
};

struct Case {
  std::string name;    ///< of the test
  std::string parity;  ///< rows of the parity document that it covers
  Json config;
  std::string patch;  ///< merged into config
  std::vector<Step> steps;
  std::vector<Difference> differences{};
};

inline void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

/// What one step did.
struct Observation {
  std::string step;
  bool refused = false;
  int error_code = 0;              ///< of the error object
  std::vector<std::string> lines;  ///< sorted: what was printed, and the state of host, pods and store
};

/// Does the case's work in a new host. Throws if a preparation fails.
std::vector<Observation> play(const Case& one, Side side);

/// Are our outcomes what the case says? Equal to the reference's is not enough: both may fail over a wrong test.
::testing::AssertionResult as_expected(const Case& one, const std::vector<Observation>& ours);

/// Differences that show in nearly every case: D41 and the like. Each is declared once, here.
const std::vector<Difference>& general_differences();

/// Those that show in nearly every case of one plugin.
const std::vector<Difference>& differences_of(std::string_view plugin);

/// Is all the same but for what is declared?
::testing::AssertionResult same_work(const Case& one, const std::vector<Observation>& reference,
                                     const std::vector<Observation>& ours);

/// Does the general difference show in this work?
bool shows(const Difference& general, const std::vector<Observation>& reference, const std::vector<Observation>& ours);

/// Tests that play each case of a table.
class SideBySide : public ::testing::TestWithParam<Case> {
 protected:
  static void play_both() {
    RecordProperty("parity", GetParam().parity);
    const std::vector<Observation> ours = play(GetParam(), Side::kOurs);
    // Debian 12's, which is all there is without network, is four years older and differs nearly everywhere.
    if (!reference_is_new()) {
      EXPECT_TRUE(as_expected(GetParam(), ours))
          << "not compared: the reference in " << reference_dir() << " is too old";
      return;
    }
    EXPECT_TRUE(same_work(GetParam(), play(GetParam(), Side::kReference), ours));
  }
};

inline std::string case_name(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

}  // namespace cnio::test
