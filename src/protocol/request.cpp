// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cnio/protocol/result.hpp"

namespace cnio::protocol {
namespace {

// ---- environment

struct CommandSpec {
  Command command;
  std::string_view name;
  bool attachment;  // CNI_CONTAINERID and CNI_IFNAME are required
  bool netns;       // CNI_NETNS is required
  bool path;        // CNI_PATH is required
};

constexpr std::array<CommandSpec, 6> kCommands = {{{Command::kAdd, "ADD", true, true, true},
                                                   {Command::kDel, "DEL", true, false, true},
                                                   {Command::kCheck, "CHECK", true, true, true},
                                                   {Command::kGc, "GC", false, false, true},
                                                   {Command::kStatus, "STATUS", false, false, true},
                                                   {Command::kVersion, "VERSION", false, false, false}}};

const CommandSpec* find_command(std::string_view name) {
  const auto* const found =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const CommandSpec& spec) { return spec.name == name; });
  return found == kCommands.end() ? nullptr : found;
}

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// The rule of container IDs and network names (CNI 1.1.0, section 1 and 2): such a text is one safe path element.
bool is_identifier(std::string_view text) {
  return !text.empty() && is_alphanumeric(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
  });
}

constexpr char kIdentifierRule[] =
    "must begin with a letter or digit and hold only letters, digits, \"_\", \".\" and \"-\"";

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

// "1", "0", "true" and "false" in any case; nothing for anything else.
std::optional<bool> parse_flag(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return std::nullopt;
}

// What Kubernetes' runtimes tell every plugin about the pod (K8S_POD_NAME and others) is nobody's mistake.
constexpr std::string_view kKubernetesPrefix = "K8S_";

// ---- version gate

// Up to three numbers; absent ones count as 0. Nothing for anything else.
std::optional<std::array<unsigned, 3>> version_numbers(std::string_view text) {
  std::array<unsigned, 3> numbers{};
  for (unsigned& number : numbers) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.empty()) return numbers;
    if (text[0] != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;
}

Error version_refused(std::string msg, const std::string& version) {
  return Error::make(
      Code::kIncompatibleVersion, std::move(msg),
      "the configuration says cniVersion " + quote(version) + "; supported are " + supported_versions_text());
}

// The version in which a command appeared; ADD and DEL were always there and compare nothing.
std::optional<std::string_view> needed_version(Command command) {
  if (command == Command::kCheck) return "0.4.0";
  if (command == Command::kGc || command == Command::kStatus) return "1.1.0";
  return std::nullopt;
}

Result<SpecVersion> gate(Command command, const std::string& text) {
  if (const auto needed = needed_version(command)) {
    const auto numbers = version_numbers(text.empty() ? "0.1.0" : text);
    if (!numbers) return Error::make(Code::kDecode, "cniVersion " + quote(text) + " is no version number");
    if (*numbers < *version_numbers(*needed)) {
      return version_refused(std::string(to_string(command)) + " needs cniVersion " + std::string(*needed) +
                                 " or later, the configuration says " + quote(text.empty() ? "0.1.0" : text),
                             text);
    }
  }
  const auto version = parse_version(text);
  if (!version) return version_refused("cniVersion " + quote(text) + " is not supported", text);
  return *version;
}

// ---- configuration

bool holds_text(const Json& object, std::string_view key, std::string_view text) {
  const Json* value = Fields(object).find(key);
  return value != nullptr && value->is_string() && value->get_ref<const std::string&>() == text;
}

// A whole list handed to one plugin would count as a network without options: ADD without addresses, GC of all rules. A
// list has no `type`. Where somebody gave it one, its entries tell: other plugins' keys are nobody's business here, but
// no plugin's own configuration lists that very plugin.
Status refuse_list(const Fields& fields) {
  const Json* plugins = fields.find("plugins");
  if (plugins == nullptr) return {};
  const Json* type = fields.find("type");
  const std::string own = type != nullptr && type->is_string() ? type->get<std::string>() : std::string();
  const bool lists_itself =
      plugins->is_array() && std::any_of(plugins->begin(), plugins->end(), [&](const Json& entry) {
        return entry.is_object() && holds_text(entry, "type", own);
      });
  if (!own.empty() && !lists_itself) return {};
  return Error::config("plugins",
                       "this is a list; a plugin takes one of its entries, with the list's name and cniVersion");
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

Status parse_stdin(Request& request, std::string stdin_data) {
  request.stdin_data = std::move(stdin_data);
  CNIO_LET(Json parsed, parse_json(request.stdin_data).context("read the configuration from stdin"));
  if (parsed.is_null()) parsed = Json::object();
  if (!parsed.is_object()) {
    return Error::make(Code::kDecode, "read the configuration from stdin: it must be a JSON object");
  }
  request.config = std::make_shared<const Json>(std::move(parsed));
  const Fields fields(*request.config, {}, Code::kDecode);
  CNIO_LET(const std::string version, fields.text("cniVersion"));
  // Errors from here on are answered in the configuration's own version, if it is one of ours.
  request.version = parse_version(version).value_or(kLatestVersion);
  CNIO_LET(request.network, fields.text("name"));
  if (request.network.empty()) return Error::config("name", "is missing");
  if (!is_identifier(request.network)) {
    return Error::config("name", std::string(kIdentifierRule) + ", not " + quote(request.network))
        .hint("name=" + request.network);
  }
  CNIO_TRY(refuse_list(fields));
  CNIO_LET(request.version, gate(request.command, version));
  return {};
}

Status check_command(const Request& request) {
  if (request.command != Command::kUnknown) return {};
  return invalid_variable("CNI_COMMAND", request.environment.get("CNI_COMMAND"),
                          "is none of ADD, DEL, CHECK, GC, STATUS, VERSION");
}

bool is_settings_folder(std::string_view name) { return name == "all" || name == "default"; }

std::string with_name(const Json& config, const std::string& network) {
  Json named = config;
  // Of equal keys the last counts, in whatever case they are written.
  static_cast<Json::object_t::Container&>(named.get_ref<Json::object_t&>()).emplace_back("name", network);
  return format_json(named);
}

Status check_common_keys(const Fields& whole) {
  const Fields config = whole.knowing(kCommonKeys);
  CNIO_TRY(config.text("type"));
  CNIO_LET(const Fields capabilities, config.object("capabilities"));
  for (const std::string& name : capabilities.keys()) CNIO_TRY(capabilities.boolean(name));
  CNIO_LET(const Fields ipam, config.object("ipam"));
  CNIO_TRY(ipam.text("type"));
  CNIO_LET(const Fields dns, config.object("dns"));
  CNIO_TRY(parse_dns(dns));
  return {};
}

Result<std::map<std::string, std::string, std::less<>>> parse_cni_args(
    std::string_view cni_args, const std::vector<std::string_view>& known,
    const std::vector<std::string_view>& known_elsewhere) {
  std::map<std::string, std::string, std::less<>> out;
  const auto bad = [&](const std::string& why) {
    return Error::make(Code::kInvalidEnvironment, "invalid environment: CNI_ARGS " + quote(cni_args) + ": " + why);
  };
  const auto holds = [](const std::vector<std::string_view>& keys, std::string_view key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  bool ignore_unknown = false;
  std::string unknown;
  for (std::string_view rest = cni_args; !cni_args.empty();) {
    const size_t semicolon = rest.find(';');
    const std::string_view pair = rest.substr(0, semicolon);
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.find('=', equals + 1) != std::string_view::npos) {
      return bad("the part " + quote(pair) + " is not of the form KEY=VALUE");
    }
    const std::string_view key = pair.substr(0, equals);
    const std::string value(pair.substr(equals + 1));
    if (key == "IgnoreUnknown") {
      const std::optional<bool> flag = parse_flag(value.empty() ? "0" : value);
      if (!flag) return bad("IgnoreUnknown must be 0, 1, true or false");
      ignore_unknown = *flag;
    } else if (holds(known, key)) {
      if (!value.empty()) out.insert_or_assign(std::string(key), value);
    } else if (key == "CommonArgs") {
      return bad("the key \"CommonArgs\" is reserved");
    } else if (!holds(known_elsewhere, key) && !key.starts_with(kKubernetesPrefix)) {
      unknown.append(unknown.empty() ? "" : ", ").append(quote(key));
    }
    if (semicolon == std::string_view::npos) break;
    rest.remove_prefix(semicolon + 1);
  }
  if (!unknown.empty() && !ignore_unknown) {
    return bad("unknown keys " + unknown).hint("add IgnoreUnknown=1 to have keys of other programs ignored");
  }
  return out;
}

Result<std::vector<Attachment>> parse_valid_attachments(const Fields& whole) {
  const Fields config = whole.knowing(kCommonKeys);
  static constexpr char kKey[] = "cni.dev/valid-attachments";
  if (!config.has(kKey)) {
    return Error::config(kKey, "is missing: without it GC cannot tell valid attachments from stale ones");
  }
  CNIO_LET(const std::vector<Fields> entries, config.objects(kKey));
  std::vector<Attachment> attachments;
  for (const Fields& entry : entries) {
    Attachment attachment;
    CNIO_LET(attachment.container_id, entry.text("containerID"));
    CNIO_LET(attachment.ifname, entry.text("ifname"));
    // An entry that names nothing would let its attachment be taken for stale.
    if (attachment.container_id.empty()) return entry.fault("containerID", "is missing");
    if (attachment.ifname.empty()) return entry.fault("ifname", "is missing");
    attachments.push_back(std::move(attachment));
  }
  return attachments;
}

}  // namespace cnio::protocol
