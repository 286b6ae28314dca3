// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/fake_ipam.hpp"

#include <filesystem>
#include <sstream>

#include "support/host.hpp"
#include "support/plugin.hpp"

namespace cnio::test {
namespace {

std::map<std::string, std::string> parse_environment(const std::string& block) {
  std::map<std::string, std::string> env;
  for (std::size_t start = 0; start < block.size();) {
    const std::size_t end = block.find('\0', start);
    const std::string setting = block.substr(start, end - start);
    const std::size_t equals = setting.find('=');
    env[setting.substr(0, equals)] = setting.substr(equals + 1);
    start = end == std::string::npos ? block.size() : end + 1;
  }
  return env;
}

// Lines of a number, a blank and a target.
std::map<int, std::string> parse_descriptors(const std::string& text) {
  std::map<int, std::string> descriptors;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    descriptors[std::stoi(line)] = line.substr(line.find(' ') + 1);
  }
  return descriptors;
}

}  // namespace

FakeIpam::FakeIpam(const std::string& type) : folder_(make_folder("fake-ipam")) {
  std::filesystem::remove_all(folder_);  // of an earlier one in the same test
  std::filesystem::create_directories(path());
  std::filesystem::create_directories(folder_ + "/calls");
  std::filesystem::copy_file(fake_ipam_program(), path() + "/" + type);
}

void FakeIpam::script(const std::string& command, const std::vector<FakeAnswer>& answers) {
  Json plan = Json::array();
  for (const FakeAnswer& answer : answers) {
    plan.push_back({{"out", answer.out},
                    {"err", answer.err},
                    {"exit", answer.exit_code},
                    {"signal", answer.signal},
                    {"endless", answer.endless},
                    {"hook", answer.hook}});
  }
  write_file(folder_ + "/" + command + ".json", plan.dump());
}

void FakeIpam::answer(const std::string& command, const Json& result) {
  script(command, std::vector<FakeAnswer>{{.out = result.dump()}});
}

void FakeIpam::fail(const std::string& command, const Json& error) {
  script(command, std::vector<FakeAnswer>{{.out = error.dump(), .exit_code = 1}});
}

std::vector<FakeCall> FakeIpam::calls() const {
  std::vector<FakeCall> found;
  for (int number = 0;; ++number) {
    const std::string base = folder_ + "/calls/" + std::to_string(number);
    if (!std::filesystem::exists(base + ".stdin")) return found;
    FakeCall call;
    call.stdin_bytes = read_file(base + ".stdin");
    call.env = parse_environment(read_file(base + ".env"));
    call.descriptors = parse_descriptors(read_file(base + ".descriptors"));
    call.netns = read_file(base + ".netns");
    call.command = call.env["CNI_COMMAND"];
    found.push_back(call);
  }
}

std::vector<std::string> FakeIpam::commands() const {
  std::vector<std::string> names;
  for (const FakeCall& call : calls()) names.push_back(call.command);
  return names;
}

}  // namespace cnio::test
