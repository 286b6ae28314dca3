// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Damaged configurations, made from good ones by a generator with a fixed seed: whatever comes in, a plugin ends
// with one JSON object and status 0 or 1, never by a signal.
#include <random>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string damage(std::string text) {
    for (int count = 1 + pick(3); count > 0 && !text.empty(); --count) text = once(text);
    return text;
  }

 private:
  // Not std::uniform_int_distribution: its numbers differ from library to library.
  int pick(std::size_t bound) { return static_cast<int>(random_() % bound); }

  std::string once(const std::string& text) {
    static const std::vector<std::string> kPieces = {
        "null",      "[]",      "{}",     "-1",          "1e999",       "99999999999999999999",
        "\"\"",      "true",    "[null]", "\"\\u0000\"", "\"\\ud800\"", "\xff",
        "0.0.0.0/0", "::/0",    "/",      ",",           ":",           "\"",
        "}",         "{\"a\":", "../"};
    const std::size_t at = static_cast<std::size_t>(pick(text.size()));
    const std::size_t length = static_cast<std::size_t>(pick(8));
    std::string result = text;
    switch (pick(4)) {
      case 0:  // a piece of text vanishes
        return result.erase(at, length);
      case 1:  // a piece of text appears twice
        return result.insert(at, text.substr(at, length));
      case 2:  // one byte differs
        result[at] = static_cast<char>(pick(256));
        return result;
      default:  // something else stands there
        return result.replace(at, length, kPieces[static_cast<std::size_t>(pick(kPieces.size()))]);
    }
  }

  std::mt19937 random_;
};

class Mutations : public BridgeTest, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Mutations, ::testing::ValuesIn(all_plugins()),
                         [](const auto& test) { return identifier(test.param); });

TEST_P(Mutations, NeverCrashAPlugin) {
  PARITY("T12 D34");
  const int runs = rounds(250);
  const char* const verbs[] = {"ADD", "DEL", "CHECK", "GC", "STATUS"};
  Json good = minimal_config(GetParam());
  if (GetParam() == "bridge") good = dual_stack_config();
  if (GetParam() == "ptp") good = dual_ptp_config();
  good["prevResult"] = Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24", "interface": 0}],
    "interfaces": [{"name": "eth0", "sandbox": "/run/netns/c1"}], "routes": [{"dst": "0.0.0.0/0"}]})");
  good = with_valid_attachments(good, {{"c1", "eth0"}});
  Mutator mutator(20260101);
  for (int count = 0; count < runs; ++count) {
    const std::string config = mutator.damage(good.dump());
    const Outcome outcome = run(plugin_command({GetParam(), verbs[count % 5], pod(), config}));
    ASSERT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 1) << config << "\n" << describe(outcome);
    if (outcome.out.empty()) continue;
    ASSERT_TRUE(Json::parse(outcome.out, nullptr, false).is_object()) << config << "\n" << describe(outcome);
  }
}

}  // namespace
}  // namespace cnio::test
