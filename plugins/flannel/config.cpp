// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "flannel/config.hpp"

#include <nlohmann/json.hpp>

#include "flannel/keys.hpp"

namespace cnio::flannel {
namespace {

using protocol::Fields;
using protocol::Json;
using protocol::Request;

Status read_path(const Fields& fields, const char* key, std::string& path) {
  if (!fields.has(key)) return {};
  CNIO_LET(std::string text, fields.text(key));
  if (text.empty()) return fields.fault(key, "must not be empty");
  path = std::move(text);
  return {};
}

Status read_object(const Fields& fields, const char* key, const Json*& object) {
  CNIO_TRY(fields.object(key));
  object = fields.find(key);
  return {};
}

// Keys as the reference sees them: exactly as they are spelled.
Status check_delegate(const Request& request, const Fields& fields, const Json& delegate) {
  if (const auto type = delegate.find("type"); type != delegate.end()) {
    if (!type->is_string()) return fields.fault("delegate.type", "must be a string");
    if (type->get_ref<const std::string&>().empty()) return fields.fault("delegate.type", "must not be empty");
    if (protocol::is_itself(request, type->get_ref<const std::string&>())) {
      return fields.fault("delegate.type", "must be another plugin");
    }
  }
  for (const char* key : {"name", "ipam"}) {
    if (!delegate.contains(key)) continue;
    const std::string where = std::string(key) == "ipam" ? "; give flannel's own configuration the key \"ipam\"" : "";
    return fields.fault(std::string("delegate.") + key, "must not be there, for flannel sets it" + where);
  }
  return {};
}

// The delegate would call us, and we it.
Status check_ipam(const Request& request, const Fields& fields, const Json* ipam) {
  if (ipam == nullptr) return {};
  const auto type = ipam->find("type");
  if (type == ipam->end() || !type->is_string()) return {};
  if (!protocol::is_itself(request, type->get_ref<const std::string&>())) return {};
  return fields.fault("ipam.type", "must be another plugin");
}

// Goes on past what cannot be read; the first such fault is returned.
Status read(const Request& request, Config& config) {
  const Fields fields = request.fields(kKeys);
  Status faults;
  const auto take = [&](Status read) {
    if (!read.ok() && faults.ok()) faults = std::move(read);
  };
  take(read_path(fields, "subnetFile", config.subnet_file));
  take(read_path(fields, "dataDir", config.data_dir));
  take(read_object(fields, "delegate", config.delegate));
  take(read_object(fields, "ipam", config.ipam));
  take(read_object(fields, "runtimeConfig", config.runtime_config));
  take(read_object(fields, "args", config.args));
  take(read_object(fields, "dns", config.dns));
  if (Status sound = check_ipam(request, fields, config.ipam); !sound.ok()) {
    config.ipam = nullptr;
    take(std::move(sound));
  }
  if (config.delegate == nullptr) return faults;
  if (Status sound = check_delegate(request, fields, *config.delegate); !sound.ok()) {
    config.delegate = nullptr;
    take(std::move(sound));
  }
  return faults;
}

}  // namespace

Result<Config> parse_config(const Request& request) {
  CNIO_TRY(protocol::check_common_keys(request.fields(kKeys)));
  Config config;
  CNIO_TRY(read(request, config));
  return config;
}

Config readable_config(const Request& request) {
  Config config;
  (void)read(request, config).ok();
  return config;
}

}  // namespace cnio::flannel
