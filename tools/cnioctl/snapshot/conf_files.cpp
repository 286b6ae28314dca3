// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/snapshot/conf_files.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/network_file.hpp"
#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

constexpr char kLeftOut[] = "(left out)";
// What names of secrets have in them, in small letters.
constexpr std::array<std::string_view, 8> kSecretWords = {"password", "passwd",     "passphrase", "secret",
                                                          "token",    "credential", "privatekey", "apikey"};

// Spelled "private-key", "private_key" or "privateKey".
std::string letters_of(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c != '-' && c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

bool names_a_secret(const std::string& name) {
  const std::string letters = letters_of(name);
  return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&](std::string_view word) { return letters.find(word) != std::string::npos; });
}

Result<Json> read_json(const std::string& path) {
  CNIO_LET(const std::string text, read_file(path, kMaxNetworkFile));
  return protocol::parse_json(text);
}

}  // namespace

Json without_secrets(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& each : value) out.push_back(without_secrets(each));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [name, member] : value.items())
    out[name] = names_a_secret(name) ? Json(kLeftOut) : without_secrets(member);
  return out;
}

std::vector<ConfFile> read_conf_files(const std::string& conf_dir, Report& report) {
  std::vector<ConfFile> out;
  for (const std::string& name : names_in(conf_dir, report)) {
    if (!is_network_file_name(name)) continue;
    const auto json = read_json(conf_dir + "/" + name);
    if (!json.ok()) report.blind(conf_dir + "/" + name, json.error());
    out.push_back({name, json.ok() ? without_secrets(json.value()) : Json()});
  }
  return out;
}

}  // namespace cnio::cnioctl
