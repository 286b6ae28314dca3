// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/system_bus.hpp"

#include <string_view>
#include <sys/stat.h>

#include "cnio/base/process.hpp"

namespace cnio::firewall {
namespace {

// The program is told to give up earlier than it is given up.
constexpr int kAnswerSeconds = 10;
constexpr int kTimeoutMs = 15'000;

constexpr std::string_view kDefaultAddress = "unix:path=/run/dbus/system_bus_socket";

bool is_socket(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
}

// An address is a list of ways ("unix:path=/a,guid=1;tcp:host=b"). One that is no plain socket is taken on trust.
bool may_be_there(std::string_view address) {
  constexpr std::string_view kPlain = "unix:path=";
  while (!address.empty()) {
    const size_t end = std::min(address.find(';'), address.size());
    const std::string_view way = address.substr(0, end);
    if (!way.starts_with(kPlain)) return true;
    const std::string_view path = way.substr(kPlain.size());
    if (is_socket(std::string(path.substr(0, path.find(','))))) return true;
    address.remove_prefix(std::min(end + 1, address.size()));
  }
  return false;
}

std::vector<std::string> busctl_words(const BusMethod& method, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"--system",
                                    "--auto-start=no",
                                    "--timeout=" + std::to_string(kAnswerSeconds),
                                    "--",
                                    "call",
                                    method.service,
                                    method.object,
                                    method.interface,
                                    method.name};
  if (!arguments.empty()) words.emplace_back(arguments.size(), 's');
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

std::vector<std::string> dbus_send_words(const BusMethod& method, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"--system",
                                    "--print-reply=literal",
                                    "--reply-timeout=" + std::to_string(kAnswerSeconds * 1000),
                                    "--dest=" + method.service,
                                    method.object,
                                    method.interface + "." + method.name};
  for (const std::string& argument : arguments) words.push_back("string:" + argument);
  return words;
}

// `b true`, `s "trusted"` of busctl; `   boolean true`, `   trusted` of dbus-send.
std::string value_in(std::string_view text) {
  constexpr std::string_view kBlanks = " \n\t\"";
  for (const std::string_view type : {"b ", "s ", "   boolean "}) {
    if (text.starts_with(type)) text.remove_prefix(type.size());
  }
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return std::string(text.substr(0, text.find_last_not_of(kBlanks) + 1));
}

}  // namespace

std::optional<SystemBus> SystemBus::find(const protocol::Environment& environment) {
  const std::string address = environment.get("DBUS_SYSTEM_BUS_ADDRESS");
  if (!may_be_there(address.empty() ? kDefaultAddress : std::string_view(address))) return std::nullopt;
  const std::string path_list = environment.get("PATH");
  return SystemBus(find_executable(path_list, "busctl"), find_executable(path_list, "dbus-send"),
                   environment.with("LC_ALL", "C"));
}

Result<BusAnswer> SystemBus::call(const BusMethod& method, const std::vector<std::string>& arguments) const {
  if (busctl_.empty() && dbus_send_.empty()) {
    return Error::make(Code::kKernel,
                       "the system's message bus cannot be spoken to: neither busctl nor dbus-send is in PATH",
                       "install systemd's busctl, or dbus-send (Debian: dbus-bin); with \"backend\": \"iptables\" or "
                       "\"nftables\" neither is needed");
  }
  ProcessSpec spec;
  spec.path = busctl_.empty() ? dbus_send_ : busctl_;
  spec.args = busctl_.empty() ? dbus_send_words(method, arguments) : busctl_words(method, arguments);
  spec.args.insert(spec.args.begin(), spec.path);
  spec.environment = environment_;
  CNIO_LET(const ProcessResult result, run_process(std::move(spec), kTimeoutMs).context("call " + method.name));
  return BusAnswer{result.success(), value_in(result.success() ? result.out : result.err)};
}

Result<bool> SystemBus::has_owner(const std::string& service) const {
  static const BusMethod kMethod = {"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                    "NameHasOwner"};
  CNIO_LET(const BusAnswer answer, call(kMethod, {service}));
  return answer.ok && answer.text == "true";
}

}  // namespace cnio::firewall
