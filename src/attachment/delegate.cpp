// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/delegate.hpp"

#include <algorithm>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cnio/base/process.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Command;
using protocol::Request;

std::string name_of(const DelegateRole& role, const std::string& type) {
  return std::string(role.noun) + " " + quote(type);
}

// "out of range" codes of a foreign plugin stay what they are; only "no code" becomes ours.
Code code_of(int64_t code) { return code > 0 && code <= UINT32_MAX ? static_cast<Code>(code) : Code::kDelegate; }

std::string joined_lines(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

Result<Delegate> Delegate::find(const Request& request, const std::string& type, const DelegateLimits& limits,
                                const DelegateRole& role) {
  // Behind a NUL nothing is looked at by the system: that would be another program than the one named.
  if (type.find_first_of(std::string_view("/\0", 2)) != std::string::npos || type == "." || type == "..") {
    return Error::config(role.key, "must be the name of a plugin, without path, not " + quote(type));
  }
  if (protocol::is_itself(request, type)) return Error::config(role.key, quote(type) + " is this plugin itself");
  std::string path = find_executable(request.cni_path, type);
  if (path.empty()) {
    if (const std::string other = find_file(request.cni_path, type); !other.empty()) {
      return Error::make(Code::kDelegate, name_of(role, type) + ": " + other + " is not executable")
          .hint("chmod 755 " + other);
    }
    return Error::make(Code::kDelegate, name_of(role, type) + ": not found in CNI_PATH " + quote(request.cni_path, 512))
        .hint("install an executable file called " + quote(type) + " into one of these folders");
  }
  return Delegate(request, type, std::move(path), limits, role);
}

std::string Delegate::name() const { return name_of(role_, type_); }

Error Delegate::with_name(Error error) const {
  // Ours begin with their name already.
  if (error.msg().starts_with(type_ + ": ")) return std::move(error).context(role_.kind);
  return std::move(error).context(name());
}

ProcessSpec Delegate::call_of(Command command) const {
  ProcessSpec spec;
  spec.path = path_;
  spec.args = {path_};
  spec.environment = request_->environment.with("CNI_COMMAND", protocol::to_string(command));
  spec.stdin_data = request_->stdin_data;
  return spec;
}

Result<RunningProcess> Delegate::start(Command command) const {
  return RunningProcess::start(call_of(command)).context(name());
}

Result<std::string> Delegate::finish(RunningProcess process, int timeout_ms) const {
  CNIO_LET(ProcessResult ended, process.finish(timeout_ms).context(name()));
  if (!ended.success()) return failure(ended.out, ended.err, ended.how_it_ended());
  (void)write_all(STDERR_FILENO, ended.err, "stderr");  // notes for people: nobody to tell if that fails
  return std::move(ended.out);
}

Result<std::string> Delegate::execute(Command command, int timeout_ms) const {
  CNIO_LET(RunningProcess process, start(command));
  return finish(std::move(process), timeout_ms);
}

Error Delegate::failure(const std::string& out, const std::string& err, const std::string& how_it_ended) const {
  if (const auto parsed = protocol::parse_json(out); parsed.ok() && parsed.value().is_object()) {
    const protocol::Fields fields(parsed.value());
    const auto code = fields.integer("code");
    const auto msg = fields.text("msg");
    const auto details = fields.text("details");
    if (code.ok() && msg.ok() && details.ok()) {
      std::string text = joined_lines(msg.value());
      if (text.empty()) text = "failed without a message (" + how_it_ended + ")";
      return with_name(Error::make(code_of(code.value().value_or(0)), std::move(text), details.value()));
    }
  }
  std::string said = out.empty() ? err : out;
  Error error = with_name(Error::make(Code::kDelegate, "failed without an error object (" + how_it_ended + ")"));
  return said.empty() ? error : std::move(error).hint("it printed " + quote(joined_lines(std::move(said)), 512));
}

Result<Delegate::Adding> Delegate::start_add() const {
  CNIO_LET(RunningProcess process, start(Command::kAdd));
  return Adding(*this, std::move(process));
}

Result<AddResult> Delegate::Adding::finish(const std::function<bool()>& lives) {
  return delegate_->settle_add(std::move(process_), lives);
}

Result<AddResult> Delegate::settle_add(RunningProcess process, const std::function<bool()>& lives) const {
  Result<AddResult> result = [&]() -> Result<AddResult> {
    CNIO_LET(const std::string out, finish(std::move(process), limits_.call_ms));
    auto parsed = protocol::parse_delegate_result(out, request_->version, type_);
    if (!parsed.ok()) return with_name(std::move(parsed).error());
    return parsed;
  }();
  if (!result.ok() && result.error().code() != Code::kConflict && !lives()) {
    if (const Status undone = release(); !undone.ok()) {
      return std::move(result).error().hint("its DEL failed too: " + undone.error().msg());
    }
  }
  return result;
}

Status Delegate::release() const {
  CNIO_TRY(execute(Command::kDel, limits_.release_ms));
  return {};
}

Status Delegate::run(Command command) const {
  CNIO_TRY(execute(command, limits_.call_ms));  // these verbs have no answer
  return {};
}

Result<Delegate::Prepared> Delegate::prepare(Command command) const {
  std::optional<RunningProcess> process;
  if (request_->stdin_data.size() <= RunningProcess::kMaxLateInput) {
    CNIO_LET(process, RunningProcess::start_waiting(call_of(command)).context(name()));
  }
  return Prepared(*this, std::move(process), command);
}

Status Delegate::Prepared::run() {
  if (!process_) return delegate_->run(command_);
  CNIO_TRY(delegate_->finish(*std::move(process_), delegate_->limits_.call_ms));
  return {};
}

Result<std::optional<Delegate>> find_ipam(const protocol::Request& request, const Network& network) {
  if (network.layer2()) return std::optional<Delegate>();
  if (network.ipam_type.empty()) return Error::config("ipam.type", "cannot be read: nobody can release the addresses");
  CNIO_LET(Delegate ipam, Delegate::find(request, network.ipam_type));
  return std::optional(std::move(ipam));
}

bool works_without_link(const std::string& ipam_type) { return ipam_type == "host-local" || ipam_type == "static"; }

bool releases_over_link(const std::string& ipam_type) { return ipam_type == "dhcp"; }

}  // namespace cnio::attachment
