// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/protocol/request.hpp"

#include "protocol/texts.hpp"

namespace cnio::protocol {
namespace {

struct CommandSpec {
  Command command;
  std::string_view name;
  bool attachment;  // CNI_CONTAINERID and CNI_IFNAME are required
  bool netns;       // CNI_NETNS is required
  bool path;        // CNI_PATH is required
};

constexpr std::array<CommandSpec, 7> kCommands = {{{Command::kAdd, "ADD", true, true, true},
                                                   {Command::kDel, "DEL", true, false, true},
                                                   {Command::kCheck, "CHECK", true, true, true},
                                                   {Command::kGc, "GC", false, false, true},
                                                   {Command::kStatus, "STATUS", false, false, true},
                                                   {Command::kVersion, "VERSION", false, false, false},
                                                   {Command::kRepair, kRepairCommand, true, true, true}}};

const CommandSpec* find_command(std::string_view name) {
  const auto* const found =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const CommandSpec& spec) { return spec.name == name; });
  return found == kCommands.end() ? nullptr : found;
}

// White space as Unicode has it, in UTF-8; the kernel refuses only the ASCII part in interface names.
bool has_white_space(std::string_view text) {
  static constexpr std::array<std::string_view, 25> kSpaces = {
      "\t",           "\n",           "\v",           "\f",           "\r",           " ",
      "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
      "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
      "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
      "\xe3\x80\x80"};
  return std::any_of(kSpaces.begin(), kSpaces.end(),
                     [&](std::string_view space) { return text.find(space) != std::string_view::npos; });
}

Error invalid_variable(std::string_view name, std::string_view value, std::string_view why) {
  return Error::make(Code::kInvalidEnvironment,
                     "invalid environment: " + std::string(name) + " " + quote(value) + " " + std::string(why),
                     std::string(name) + "=" + std::string(value));
}

Status check_ifname(const std::string& name, Command command) {
  const auto bad = [&](std::string_view why) { return invalid_variable("CNI_IFNAME", name, why); };
  if (name.size() > 15) return bad("is longer than 15 bytes (" + std::to_string(name.size()) + ")");
  if (name == "." || name == "..") return bad("is no interface name");
  // The kernel would take "%" for a pattern and make an interface of another name.
  if (name.find_first_of("/:%") != std::string::npos) return bad("must not hold \"/\", \":\" or \"%\"");
  if (has_white_space(name)) return bad("must not hold white space");
  // DEL may have to remove one that another implementation has made.
  if (command != Command::kDel && is_settings_folder(name)) return bad(kSettingsFolder);
  return {};
}

constexpr std::string_view kOwnSandboxText = " is the plugin's own network namespace";

// A path that cannot be examined does not.
bool names_own_sandbox(const Request& request) {
  if (request.netns_path.empty() || request.netns_override) return false;
  struct stat sandbox {};
  struct stat own {};
  if (stat(request.netns_path.c_str(), &sandbox) < 0 || stat("/proc/self/ns/net", &own) < 0) return false;
  return sandbox.st_dev == own.st_dev && sandbox.st_ino == own.st_ino;
}

}  // namespace

std::string_view to_string(Command command) {
  for (const CommandSpec& spec : kCommands) {
    if (spec.command == command) return spec.name;
  }
  return "unknown";
}

Environment Environment::of_process() {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) entries.emplace_back(*entry);
  return Environment(std::move(entries));
}

std::string Environment::get(std::string_view name) const {
  for (const std::string& entry : entries_) {
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

std::vector<std::string> Environment::with(std::string_view name, std::string_view value) const {
  std::vector<std::string> out;
  const std::string replacement = std::string(name) + "=" + std::string(value);
  bool placed = false;
  for (const std::string& entry : entries_) {
    const bool same = entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
    if (same && placed) continue;
    out.push_back(same ? replacement : entry);
    placed = placed || same;
  }
  if (!placed) out.push_back(replacement);
  return out;
}

Result<Request> parse_environment(const Environment& environment) {
  Request request;
  request.environment = environment;
  const std::string name = environment.get("CNI_COMMAND");
  const CommandSpec* spec = find_command(name);
  if (spec == nullptr) {
    request.command = Command::kUnknown;
    return request;
  }
  request.command = spec->command;
  if (spec->command == Command::kVersion) return request;

  request.netns_path = environment.get("CNI_NETNS");
  if (spec->attachment) request.cni_args = environment.get("CNI_ARGS");
  request.cni_path = environment.get("CNI_PATH");
  request.netns_override = parse_flag(environment.get("CNI_NETNS_OVERRIDE")).value_or(false);
  std::string missing;
  const auto require = [&](bool required, std::string_view variable, const std::string& value) {
    if (required && value.empty()) missing.append(missing.empty() ? "" : ",").append(variable);
  };
  if (spec->attachment) {
    request.attachment = {environment.get("CNI_CONTAINERID"), environment.get("CNI_IFNAME")};
    const std::string& id = request.attachment.container_id;
    if (!id.empty() && !is_identifier(id)) return invalid_variable("CNI_CONTAINERID", id, kIdentifierRule);
    if (!request.attachment.ifname.empty()) CNIO_TRY(check_ifname(request.attachment.ifname, request.command));
  }
  require(spec->attachment, "CNI_CONTAINERID", request.attachment.container_id);
  require(spec->netns, "CNI_NETNS", request.netns_path);
  require(spec->attachment, "CNI_IFNAME", request.attachment.ifname);
  require(spec->path, "CNI_PATH", request.cni_path);
  if (!missing.empty()) {
    return Error::make(Code::kInvalidEnvironment,
                       "required environment variables missing for " + name + ": [" + missing + "]");
  }
  return request;
}

Status check_not_own_sandbox(const Request& request) {
  if (!names_own_sandbox(request)) return {};
  return Error::make(Code::kOwnSandbox, "CNI_NETNS " + quote(request.netns_path) + std::string(kOwnSandboxText))
      .hint("the sandbox must be another namespace than the host's; CNI_NETNS_OVERRIDE=1 allows it all the same");
}

std::string forget_own_sandbox(Request& request) {
  if (!names_own_sandbox(request)) return {};
  std::string note = "CNI_NETNS " + quote(request.netns_path) + std::string(kOwnSandboxText) +
                     " by now: the sandbox is taken for one that is gone";
  request.netns_path.clear();
  request.environment = Environment(request.environment.with("CNI_NETNS", ""));
  return note;
}

Status check_command(const Request& request) {
  if (request.command != Command::kUnknown) return {};
  return invalid_variable("CNI_COMMAND", request.environment.get("CNI_COMMAND"),
                          "is none of ADD, DEL, CHECK, GC, STATUS, VERSION");
}

bool is_settings_folder(std::string_view name) { return name == "all" || name == "default"; }

}  // namespace cnio::protocol
