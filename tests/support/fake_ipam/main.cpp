// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Stand-in for an IPAM plugin. In $CNIO_FAKE_IPAM_FOLDER it finds <COMMAND>.json, a list of answers, and leaves
// what it was given: calls/<n>.stdin, calls/<n>.env (as in /proc/self/environ), calls/<n>.descriptors and
// calls/<n>.netns.
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <signal.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// The open descriptors and their targets, but for the one that looks.
std::string descriptors() {
  std::ostringstream text;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || target == "/proc/" + std::to_string(::getpid()) + "/fd") continue;
    text << entry.path().filename().string() << ' ' << target.string() << '\n';
  }
  return text.str();
}

/// The first number that nobody has taken; the environment file is the claim.
int claim_number(const std::string& folder) {
  for (int number = 0;; ++number) {
    const std::string path = folder + "/calls/" + std::to_string(number) + ".env";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) continue;
    ::close(fd);
    return number;
  }
}

/// How often this command was called before.
std::size_t earlier_calls(const std::string& folder, const std::string& command, int number) {
  std::size_t count = 0;
  for (int earlier = 0; earlier < number; ++earlier) {
    const std::string env = read_file(folder + "/calls/" + std::to_string(earlier) + ".env");
    const std::string wanted = "CNI_COMMAND=" + command;
    const std::size_t found = env.find(wanted + '\0');
    if (found == 0 || (found != std::string::npos && env[found - 1] == '\0')) ++count;
  }
  return count;
}

bool run_quietly(const std::string& hook) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::execlp("sh", "sh", "-c", hook.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

/// Again until it succeeds: we are started while what it is about is in the making.
void run_hook(const std::string& hook) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!hook.empty() && !run_quietly(hook)) {
    if (std::chrono::steady_clock::now() < deadline) continue;
    std::cerr << "fake-ipam: hook failed: " << hook << "\n";
    std::exit(3);
  }
}

int act(const nlohmann::json& answer) {
  run_hook(answer.value("hook", ""));
  std::cerr << answer.value("err", "") << std::flush;
  std::cout << answer.value("out", "") << std::flush;
  while (answer.value("endless", false) && std::cout) std::cout << answer.value("out", "") << std::flush;
  if (const int signal = answer.value("signal", 0); signal != 0) ::kill(::getpid(), signal);
  return answer.value("exit", 0);
}

}  // namespace

int main() {
  const char* folder_value = std::getenv("CNIO_FAKE_IPAM_FOLDER");
  const char* command_value = std::getenv("CNI_COMMAND");
  if (folder_value == nullptr || command_value == nullptr) {
    std::cerr << "fake-ipam: CNIO_FAKE_IPAM_FOLDER or CNI_COMMAND did not arrive\n";
    return 3;
  }
  const std::string folder = folder_value;
  const std::string command = command_value;
  const std::string inherited = descriptors();
  const int number = claim_number(folder);
  const std::string base = folder + "/calls/" + std::to_string(number);
  write_file(base + ".env", read_file("/proc/self/environ"));
  write_file(base + ".descriptors", inherited);
  write_file(base + ".netns", std::filesystem::read_symlink("/proc/self/ns/net").string());
  write_file(base + ".stdin", std::string(std::istreambuf_iterator<char>(std::cin), {}));
  const std::string plan = read_file(folder + "/" + command + ".json");
  if (plan.empty()) return 0;
  const nlohmann::json answers = nlohmann::json::parse(plan);
  return act(answers.at(std::min(earlier_calls(folder, command, number), answers.size() - 1)));
}
