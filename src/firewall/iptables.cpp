// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/iptables.hpp"

#include <cerrno>

#include "cnio/base/unique_fd.hpp"

namespace cnio::firewall {
namespace {

constexpr int kTimeoutMs = 60'000;  // it may wait for its lock
constexpr size_t kOutputLimit = 64U << 20U;
constexpr size_t kProcLimit = 4096;

// The program's answer to --version tells its kind: "iptables v1.8.9 (legacy)", "(nf_tables)"; older ones say nothing
// and are legacy.
Result<bool> is_legacy(const std::string& path, const std::vector<std::string>& environment) {
  ProcessSpec spec;
  spec.path = path;
  spec.args = {path, "--version"};
  spec.environment = environment;
  CNIO_LET(const ProcessResult result, run_process(spec, kTimeoutMs));
  return result.success() && result.out.find("nf_tables") == std::string::npos;
}

// Tables come into being when the program first looks at them, so it must not run only to find nothing.
Result<bool> has_legacy_table(Family family, const std::string& table) {
  const std::string name = family == Family::kIpv4 ? "ip_tables_names" : "ip6_tables_names";
  const auto tables = read_file("/proc/thread-self/net/" + name, kProcLimit);
  if (!tables.ok() && tables.error().errnum() == ENOENT) return false;  // x_tables is not in this kernel
  // The file belongs to nobody we know if the network namespace is older than the mapping of users (`unshare -Urn`).
  // What a DEL could find there is not worth that none ever succeeds.
  if (!tables.ok() && tables.error().errnum() == EACCES) return false;
  if (!tables.ok()) return tables.error();
  return ("\n" + tables.value()).find("\n" + table + "\n") != std::string::npos;
}

std::string program_name(Family family) { return family == Family::kIpv4 ? "iptables" : "ip6tables"; }

}  // namespace

Result<Iptables> Iptables::find(Family family, const protocol::Environment& environment, std::string_view key) {
  const std::string name = program_name(family);
  const std::string path_list = environment.get("PATH");
  std::string path = find_executable(path_list, name);
  if (path.empty()) {
    const std::string without = std::string("; without ").append(key).append(" no program is needed");
    return Error::config(std::string(key), "\"iptables\" needs the program " + name + ", which is not in PATH")
        .hint("PATH is " + quote(path_list, 512) + without);
  }
  return Iptables(std::move(path), environment.with("LC_ALL", "C"), "nat");
}

Result<std::optional<Iptables>> Iptables::find_legacy(Family family, const protocol::Environment& environment,
                                                      const std::string& table) {
  CNIO_LET(const bool used, has_legacy_table(family, table));
  if (!used) return std::optional<Iptables>();
  const std::vector<std::string> variables = environment.with("LC_ALL", "C");
  for (const std::string& name : {program_name(family) + "-legacy", program_name(family)}) {
    const std::string path = find_executable(environment.get("PATH"), name);
    if (path.empty()) continue;
    CNIO_LET(const bool legacy, is_legacy(path, variables));
    if (legacy) return std::optional(Iptables(path, variables, table));
  }
  // Whoever made the table brought a program of its own (a container); nothing of ours can be in it.
  return std::optional<Iptables>();
}

Result<ProcessResult> Iptables::start(const std::vector<std::string>& arguments) const {
  ProcessSpec spec;
  spec.path = path_;
  spec.args = {path_, "--table", table_, "--wait"};
  spec.args.insert(spec.args.end(), arguments.begin(), arguments.end());
  spec.environment = environment_;
  spec.output_limit = kOutputLimit;
  return run_process(spec, kTimeoutMs);
}

Error Iptables::failure(const std::vector<std::string>& arguments, const ProcessResult& result) const {
  std::string command = path_;
  for (const std::string& argument : arguments) command += " " + argument;
  return Error::make(Code::kKernel, command + ": " + result.how_it_ended(), "it says " + quote(result.err, 512));
}

Status Iptables::run(const std::vector<std::string>& arguments) const {
  CNIO_LET(const ProcessResult result, start(arguments));
  if (!result.success()) return failure(arguments, result);
  return {};
}

Result<bool> Iptables::succeeds(const std::vector<std::string>& arguments) const {
  CNIO_LET(const ProcessResult result, start(arguments));
  return result.success();
}

// It is the same program under another name.
Status Iptables::restore(const std::string& lines) const {
  ProcessSpec spec;
  spec.path = path_ + "-restore";
  spec.args = {spec.path, "--noflush", "--wait"};
  spec.environment = environment_;
  const std::string text = "*" + table_ + "\n" + lines + "COMMIT\n";
  spec.stdin_data = text;
  CNIO_LET(const ProcessResult result, run_process(spec, kTimeoutMs));
  if (result.success()) return {};
  return Error::make(Code::kKernel, path_ + "-restore: " + result.how_it_ended(), "it says " + quote(result.err, 512));
}

Result<std::string> Iptables::read(const std::vector<std::string>& arguments) const {
  CNIO_LET(ProcessResult result, start(arguments));
  if (!result.success()) return failure(arguments, result);
  return std::move(result.out);
}

std::vector<std::string> split_iptables_line(std::string_view line) {
  std::vector<std::string> words;
  bool within = false;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (!quoted && c == ' ') {
      within = false;
      continue;
    }
    if (!within) words.emplace_back();
    within = true;
    if (c == '"') {
      quoted = !quoted;
      continue;
    }
    if (c == '\\' && i + 1 < line.size()) c = line[++i];
    words.back() += c;
  }
  return words;
}

std::string join_iptables_words(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    line += '"';
    for (const char c : word) {
      if (c == '"' || c == '\\') line += '\\';
      line += c;
    }
    line += '"';
  }
  return line;
}

}  // namespace cnio::firewall
