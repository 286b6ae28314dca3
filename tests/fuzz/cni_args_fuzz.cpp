// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The environment of a call. Lines of the input are the values of CNI_ARGS, CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS,
// CNI_COMMAND and CNI_NETNS_OVERRIDE; CNI_ARGS goes through each plugin, too.
#include <vector>

#include "cnio/protocol/request.hpp"

#include "bridge/config.hpp"
#include "fuzz/fuzz.hpp"
#include "host-local/config.hpp"
#include "static/config.hpp"

namespace cnio::fuzz {
namespace {

using protocol::Request;

std::vector<std::string> lines_of(std::string_view text, size_t count) {
  std::vector<std::string> lines;
  while (lines.size() + 1 < count && text.find('\n') != std::string_view::npos) {
    lines.emplace_back(text.substr(0, text.find('\n')));
    text.remove_prefix(text.find('\n') + 1);
  }
  lines.emplace_back(text);
  lines.resize(count);
  // No variable holds a NUL.
  for (std::string& line : lines) line.resize(std::min(line.size(), line.find('\0')));
  return lines;
}

// Such a text is one element of a path, below the folder it is put into.
void require_path_element(const std::string& text) {
  require(text.find('/') == std::string::npos && text != "." && text != "..", "a name is no path", text);
}

void check_args(const std::string& args) {
  const auto parsed = protocol::parse_cni_args(args, {"IP", "MAC"});
  if (!parsed.ok()) {
    check_error(parsed.error());
    require(parsed.error().code() == Code::kInvalidEnvironment, "it is the environment's fault", parsed.error().msg());
    require(parsed.error().msg().find("CNI_ARGS") != std::string::npos, "the variable is named", parsed.error().msg());
    return;
  }
  std::string again;
  for (const auto& [key, value] : parsed.value()) {
    require(key == "IP" || key == "MAC", "only known keys are given", key);
    require(!value.empty() && value.find_first_of(";=") == std::string::npos, "a value is one value", value);
    again.append(again.empty() ? "" : ";").append(key).append("=").append(value);
  }
  const auto reread = protocol::parse_cni_args(again, {"IP", "MAC"});
  require(reread.ok() && reread.value() == parsed.value(), "writing and reading changes nothing", again);
}

template <class Parsed>
void check_parsed(const Parsed& parsed) {
  if (parsed.ok()) return;
  check_error(parsed.error());
  require(parsed.error().code() == Code::kInvalidEnvironment, "only CNI_ARGS can be wrong", parsed.error().msg());
}

void check_plugins(Request request) {
  static constexpr char kConfig[] =
      R"({"cniVersion": "1.1.0", "name": "net", "ipam": {"ranges": [[{"subnet": "10.1.0.0/24"}]]}})";
  request.command = protocol::Command::kAdd;
  require(protocol::parse_stdin(request, kConfig).ok(), "the configuration is good");
  require(bridge::parse_config(request, bridge::Validation::kTypes).ok(), "DEL does not look at them");
  check_parsed(bridge::parse_config(request, bridge::Validation::kFull));
  std::vector<std::string> ignored;
  (void)host_local::parse_store(request, ignored);  // nor does host-local's, which cannot fail
  const auto config = host_local::parse_config(request);
  check_parsed(config);
  check_parsed(static_ipam::parse_config(request));
  if (config.ok()) require(config.value().store.folder == "/var/lib/cni/networks/net", "the store is where it is");
}

void fuzz_one(std::string_view text) {
  const std::vector<std::string> lines = lines_of(text, 6);
  check_args(lines[0]);
  const protocol::Environment environment({"CNI_ARGS=" + lines[0], "CNI_CONTAINERID=" + lines[1],
                                           "CNI_IFNAME=" + lines[2], "CNI_NETNS=" + lines[3],
                                           "CNI_COMMAND=" + (lines[4].empty() ? std::string("ADD") : lines[4]),
                                           "CNI_NETNS_OVERRIDE=" + lines[5], "CNI_PATH=/opt/cni/bin"});
  auto request = protocol::parse_environment(environment);
  if (!request.ok()) {
    check_error(request.error());
    require(request.error().code() == Code::kInvalidEnvironment, "it is the environment's fault",
            request.error().msg());
    return;
  }
  require_path_element(request.value().attachment.container_id);
  require_path_element(request.value().attachment.ifname);
  require(request.value().attachment.ifname.size() <= 15, "the kernel takes the name");
  request.value().cni_args = lines[0];
  check_plugins(request.value());
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
