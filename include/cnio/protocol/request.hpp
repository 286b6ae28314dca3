// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/protocol/json.hpp"
#include "cnio/protocol/result.hpp"
#include "cnio/protocol/version.hpp"

namespace cnio::protocol {

// kUnknown: CNI_COMMAND holds something else; refused by check_command.
enum class Command { kAdd, kDel, kCheck, kGc, kStatus, kVersion, kUnknown };

// "ADD", ... as CNI_COMMAND spells it.
std::string_view to_string(Command command);

// The process environment, handed in so that nothing reads it behind the caller's back. Order is kept: a delegate gets
// the same environment.
class Environment {
 public:
  explicit Environment(std::vector<std::string> entries) : entries_(std::move(entries)) {}
  static Environment of_process();

  // Empty equals unset.
  [[nodiscard]] std::string get(std::string_view name) const;
  // "NAME=value" entries; NAME is replaced where it stands.
  [[nodiscard]] std::vector<std::string> with(std::string_view name, std::string_view value) const;

 private:
  std::vector<std::string> entries_;
};

// What one interface of one container is called: the key of everything that belongs to it.
struct Attachment {
  std::string container_id;
  std::string ifname;

  auto operator<=>(const Attachment&) const = default;
  // "<container>/<interface>": neither can have a slash.
  [[nodiscard]] std::string text() const { return container_id + "/" + ifname; }
};

// A validated call of a plugin (CNI 1.1.0, section 2, "Protocol parameters").
struct Request {
  std::string_view plugin;   // "bridge": who is called, for notes
  std::string_view program;  // the name of its file, which may be another; empty: not known
  Command command = Command::kVersion;
  Attachment attachment;        // empty for GC, STATUS and VERSION
  std::string netns_path;       // CNI_NETNS as passed; may be empty for DEL: the sandbox is gone
  std::string cni_args;         // CNI_ARGS as passed, not yet parsed; empty without an attachment
  std::string cni_path;         // CNI_PATH
  bool netns_override = false;  // CNI_NETNS_OVERRIDE: the sandbox may be the plugin's own namespace
  Environment environment{{}};
  std::string stdin_data;              // the exact bytes, for delegates
  std::shared_ptr<const Json> config;  // an object; set by parse_stdin
  SpecVersion version = SpecVersion::k010;
  std::string network;  // `name` of the configuration

  [[nodiscard]] Fields fields() const { return Fields(*config); }
  // What the keys of a plugin say.
  [[nodiscard]] Fields fields(Keys keys) const { return fields().knowing(keys); }
};

// Does `type` name the plugin that is called, by its name or that of its file? One that called itself with the same
// input would do so without end.
bool is_itself(const Request& request, std::string_view type);

// Reads and checks the environment: the command, and the variables it needs (code 4, naming them).
// Present but invalid ones are reported before missing ones.
Result<Request> parse_environment(const Environment& environment);

// Refuses a sandbox that is the plugin's own network namespace (code 8), unless CNI_NETNS_OVERRIDE allows it. A path
// that cannot be examined passes: whether it is needed is for the plugin to say.
Status check_not_own_sandbox(const Request& request);

// For DEL: such a sandbox has gone, and its name was given again, as that of a process (/proc/<pid>/ns/net) is. Empties
// it, also in the environment that delegates get, and returns a line for people; an empty one if there was nothing to
// do.
std::string forget_own_sandbox(Request& request);

// Takes stdin: JSON, `name`, `cniVersion` and the version gate of the command. A whole list (`plugins`) is refused.
// Errors: codes 6, 7, 1.
Status parse_stdin(Request& request, std::string stdin_data);

// Refuses a CNI_COMMAND that is none (code 4). Whatever stdin held: whoever calls by hand often has nothing there.
Status check_command(const Request& request);

// Is this the name of a folder that the kernel has among those of the interfaces in /proc/sys/net/ipv*/conf, for
// settings of all of them? What is written for an interface of such a name would be written for the others.
bool is_settings_folder(std::string_view name);
inline constexpr std::string_view kSettingsFolder =
    "is the name of the kernel's settings for all interfaces (/proc/sys/net/ipv6/conf/all, default)";

// The configuration as text, with this member, whatever it has of that name.
std::string with_member(const Json& config, const std::string& key, Json value);
// For a network of another name.
std::string with_name(const Json& config, const std::string& network);

// The request as it would be with another configuration. Errors: those of parse_stdin.
Result<Request> with_config(const Request& request, std::string config);

// The types of the keys that the specification gives to every configuration: type, capabilities, ipam, dns. Error:
// code 7.
Status check_common_keys(const Fields& whole);

// The pairs of CNI_ARGS ("K=V;K2=V2"). Only the keys in `known` are returned; others are an error unless
// IgnoreUnknown is true in the string. Never unknown are `known_elsewhere`, the keys that other plugins of the suite
// take from the same string, and those that Kubernetes passes (K8S_...). Empty values count as absent. Errors: code 4.
Result<std::map<std::string, std::string, std::less<>>> parse_cni_args(
    std::string_view cni_args, const std::vector<std::string_view>& known,
    const std::vector<std::string_view>& known_elsewhere = {});

// `cni.dev/valid-attachments` of GC (CNI 1.1.0, section 2, "GC"). A missing list is an error (code 7), since it cannot
// be told from "none is valid"; an empty list means that every attachment of the network is stale.
Result<std::vector<Attachment>> parse_valid_attachments(const Fields& whole);

}  // namespace cnio::protocol
