// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/request.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "cnio/protocol/result.hpp"

#include "protocol/texts.hpp"

namespace cnio::protocol {
namespace {

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

std::string with_member(const Json& config, const std::string& key, Json value) {
  Json changed = config;
  // Of equal keys the last counts, in whatever case they are written.
  static_cast<Json::object_t::Container&>(changed.get_ref<Json::object_t&>()).emplace_back(key, std::move(value));
  return format_json(changed);
}

std::string with_name(const Json& config, const std::string& network) { return with_member(config, "name", network); }

Result<Request> with_config(const Request& request, std::string config) {
  Request then = request;
  CNIO_TRY(parse_stdin(then, std::move(config)));
  return then;
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

bool is_itself(const Request& request, std::string_view type) {
  return !type.empty() && (type == request.plugin || type == request.program);
}

}  // namespace cnio::protocol
