// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/plugin.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"
#include "cnio/protocol/pod.hpp"

namespace cnio::protocol {
namespace {

using Clock = std::chrono::steady_clock;

// What is known of the call that is being served.
struct Call {
  const Plugin& plugin;
  std::string_view program;  // the name of its file
  const Environment& environment;
  const Streams& streams;
  const KeepFailure& keep;
  Clock::time_point begun;
  SpecVersion version = kLatestVersion;  // of answers
  std::string network = {};
};

// Notes for people; there is nobody to tell if even that fails.
void say(int err, const std::string& text) { (void)write_all(err, text + "\n", "stderr"); }

// On a terminal the prompt belongs on a line of its own; programs get the reference's bytes, which end without one.
Status answer(const Streams& streams, std::string text) {
  if (isatty(streams.out) == 1 && !text.ends_with('\n')) text += '\n';
  Status written = write_all(streams.out, text, "stdout");
  if (!written.ok()) say(streams.err, "cnio: " + written.error().msg());
  return written;
}

// Not one of ours, which no runtime calls.
bool is_kept(std::string_view verb) {
  return verb == "ADD" || verb == "DEL" || verb == "CHECK" || verb == "STATUS" || verb == "GC";
}

void keep(const Call& call, const Error& error) {
  const Environment& said = call.environment;
  Failure failure;
  failure.verb = said.get("CNI_COMMAND");
  if (!call.keep || !is_kept(failure.verb)) return;
  failure.plugin = call.plugin.name;
  failure.code = static_cast<unsigned>(error.code());
  failure.time = static_cast<int64_t>(std::time(nullptr));
  failure.took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - call.begun).count();
  failure.network = call.network;
  if (failure.verb != "STATUS" && failure.verb != "GC") {
    failure.attachment = {said.get("CNI_CONTAINERID"), said.get("CNI_IFNAME")};
    failure.pod = pod_name(said.get("CNI_ARGS"));
  }
  failure.msg = one_line(error.msg());
  failure.details = error.details();
  call.keep(failure);
}

Error internal_error(const std::exception& fault) {
  return Error::make(Code::kInternal, std::string("internal error: ") + fault.what());
}

// The answer is out, and must stay the only one.
void keep_quietly(const Call& call, const Error& error) {
  try {
    keep(call, error);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
  }
}

Json error_object(const Call& call, const Error& error) {
  Json object = Json::object();
  object["cniVersion"] = to_string(call.version);
  object["code"] = static_cast<unsigned>(error.code());
  object["msg"] = one_line(std::string(call.plugin.name) + ": " + error.msg());
  if (!error.details().empty()) object["details"] = error.details();
  return object;
}

int answer_error(const Call& call, const Error& error) {
  (void)answer(call.streams,
               format_json(error_object(call, error)));  // the status is 1 either way, and stderr has heard of it
  keep_quietly(call, error);
  return 1;
}

std::string version_text(const Plugin& plugin) {
  return "CNI " + std::string(plugin.name) +
         " plugin v" CNIO_VERSION "\nCNI protocol versions supported: " + supported_versions_text() + "\n";
}

std::string help_text(const Plugin& plugin) {
  const std::string name(plugin.name);
  std::string text = version_text(plugin);
  text.append("\n")
      .append(plugin.about)
      .append(
          "\n\nContainer runtimes call it with the command in CNI_COMMAND (ADD, DEL, CHECK, STATUS, GC or VERSION) and"
          "\nthe network configuration on stdin. By hand, as root, in a sandbox made for the purpose:\n"
          "\n  ip netns add demo"
          "\n  echo '");
  text.append(plugin.example_config)
      .append(
          "' |"
          "\n    CNI_COMMAND=ADD CNI_CONTAINERID=demo CNI_NETNS=/run/netns/demo CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin"
          " \\\n    /opt/cni/bin/");
  text.append(name).append(
      "\n\nThe same with CNI_COMMAND=DEL removes it again; then: ip netns delete demo"
      "\n\nKeys of the configuration, each with its type and what holds without it; * marks those that the reference"
      "\nimplementation does not know. Others are ignored.\n");
  if (!plugin.keys.empty()) text.append("\nKeys of ").append(name).append(":\n\n").append(describe(plugin.keys));
  text.append("\nKeys of every plugin:\n\n").append(describe(kCommonKeys));
  return text;
}

// A call by hand, or by a program that asks what this is.
int answer_about(const Plugin& plugin, const Streams& streams, std::string_view option) {
  if (option == "--help" || option == "-h") return answer(streams, help_text(plugin)).ok() ? 0 : 1;
  if (option == "--version") return answer(streams, version_text(plugin)).ok() ? 0 : 1;
  (void)write_all(streams.err, version_text(plugin), "stderr");
  return 0;
}

int answer_version(const Streams& streams) {
  Json object = Json::object();
  object["cniVersion"] = to_string(kLatestVersion);
  Json versions = Json::array();
  for (auto version = SpecVersion::k010; version <= kLatestVersion;
       version = static_cast<SpecVersion>(static_cast<int>(version) + 1)) {
    versions.push_back(to_string(version));
  }
  object["supportedVersions"] = std::move(versions);
  return answer(streams, object.dump() + "\n").ok() ? 0 : 1;
}

Result<std::string> read_stdin(const Streams& streams) {
  auto data = read_all(streams.in, kMaxStdin, "the configuration from stdin");
  if (data.ok() || data.error().errnum() != 0) return data;
  return Error::make(Code::kDecode, "the configuration on stdin is larger than 1 MiB");
}

Status take_config(Request& request, Result<std::string> read) {
  CNIO_LET(std::string text, std::move(read));
  return parse_stdin(request, std::move(text));
}

Result<std::string> run_add(const Plugin& plugin, const Request& request, Rollback& undo) {
  CNIO_LET(const AddResult result, plugin.add(request, undo));
  return format_result(result, request.version);
}

Status run_verb(const Plugin& plugin, const Request& request) {
  switch (request.command) {
    case Command::kDel:
      return plugin.del(request);
    case Command::kCheck:
      return plugin.check(request);
    case Command::kStatus:
      return plugin.status(request);
    case Command::kGc:
      return plugin.gc(request);
    case Command::kAdd:
    case Command::kVersion:
    case Command::kUnknown:
      break;
  }
  return Error::make(Code::kInternal, "no such verb");
}

// {"repaired": "bridge cni0: expected a bridge, found no interface of that name"}; empty: nothing had to be.
Result<Json> repair(const Plugin& plugin, const Request& request) {
  CNIO_LET(const std::string done, plugin.repair ? plugin.repair(request) : std::string());
  Json object = Json::object();
  object["repaired"] = one_line(done);
  return object;
}

void roll_back(Rollback& undo, const Streams& streams) {
  for (const std::string& failure : undo.run()) say(streams.err, "cnio: undo: " + failure);
}

// ADD: undone unless its whole answer is out.
int serve_add(const Call& call, const Request& request) {
  Rollback undo;
  Result<std::string> text = [&]() -> Result<std::string> {
    try {
      return run_add(call.plugin, request, undo);
    } catch (const std::exception& fault) {
      return internal_error(fault);
    }
  }();
  // One that could not be written need not keep its reason from being written.
  const Status told = text.ok() ? answer(call.streams, text.value()) : Status(text.error());
  if (told.ok()) {
    undo.commit();
    return 0;
  }
  roll_back(undo, call.streams);
  return answer_error(call, told.error());
}

// What a verb may count on about its sandbox.
Status settle_sandbox(Request& request, const Plugin& plugin, const Streams& streams) {
  if (request.command == Command::kDel) {
    if (const std::string text = forget_own_sandbox(request); !text.empty()) {
      say(streams.err, std::string(plugin.name) + ": " + text);
    }
    return {};
  }
  // CHECK, too: what it finds would be the host's.
  const bool needed = request.command == Command::kAdd || request.command == Command::kCheck;
  return needed ? check_not_own_sandbox(request) : Status();
}

// Gives the request its configuration; `call` learns what answers need to know of it.
Status prepare(Call& call, Request& request, Result<std::string> read) {
  request.plugin = call.plugin.name;
  request.program = call.program;
  Status ready = take_config(request, std::move(read));
  if (request.config) call.version = request.version;
  call.network = request.network;
  CNIO_TRY(check_command(request));
  CNIO_TRY(std::move(ready));
  return settle_sandbox(request, call.plugin, call.streams);
}

int serve(Call& call) {
  auto parsed = parse_environment(call.environment);
  if (!parsed.ok()) return answer_error(call, parsed.error());
  Request request = std::move(parsed).value();
  if (request.command == Command::kVersion) return answer_version(call.streams);
  const Status ready = prepare(call, request, read_stdin(call.streams));
  if (!ready.ok()) return answer_error(call, ready.error());
  if (request.command == Command::kAdd) return serve_add(call, request);
  const Status done = run_verb(call.plugin, request);
  return done.ok() ? 0 : answer_error(call, done.error());
}

// It has to know what an ADD has to, and is of no version of the specification.
Result<Json> repair_by(Call& call, const Environment& environment, Result<std::string> read) {
  CNIO_LET(Request request, parse_environment(Environment(environment.with("CNI_COMMAND", "ADD"))));
  CNIO_TRY(prepare(call, request, std::move(read)));
  return repair(call.plugin, request);
}

int serve_repair(Call& call) {
  const Result<Json> done = repair_by(call, call.environment, read_stdin(call.streams));
  if (!done.ok()) return answer_error(call, done.error());
  return answer(call.streams, format_json(done.value())).ok() ? 0 : 1;
}

Result<Json> repair_line(Call& call, std::string_view text) {
  CNIO_LET(RepairLine line, RepairLine::parse(text));
  Environment environment = call.environment;
  for (const auto& [name, value] : {std::pair("CNI_CONTAINERID", line.attachment.container_id),
                                    {"CNI_IFNAME", line.attachment.ifname},
                                    {"CNI_NETNS", line.netns_path},
                                    {"CNI_ARGS", line.cni_args}}) {
    environment = Environment(environment.with(name, value));
  }
  try {
    return repair_by(call, environment, std::move(line.config));
  } catch (const std::exception& fault) {
    return internal_error(fault);
  }
}

// One that fails says nothing of the next.
int serve_repair_each(const Call& call) {
  const Result<std::string> lines = read_stdin(call.streams);
  if (!lines.ok()) return answer_error(call, lines.error());
  for (std::string_view rest = lines.value(); !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    Call one = call;
    const Result<Json> done = repair_line(one, rest.substr(0, end));
    const Json object = done.ok() ? done.value() : error_object(one, done.error());
    if (!write_all(call.streams.out, compact_json(object) + "\n", "stdout").ok()) return 1;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return 0;
}

int serve_command(Call& call) {
  const std::string command = call.environment.get("CNI_COMMAND");
  if (command == kRepairCommand) return serve_repair(call);
  return command == kRepairEachCommand ? serve_repair_each(call) : serve(call);
}

// A closed descriptor 0, 1 or 2 would be given to the next file that is opened, and its contents mixed up with ours.
// A closed stdin reads as empty; a closed stdout stays one that cannot be written, so that ADD is undone.
void open_standard_streams() {
  pollfd streams[] = {{STDIN_FILENO, 0, 0}, {STDOUT_FILENO, 0, 0}, {STDERR_FILENO, 0, 0}};
  const bool told = poll(streams, 3, 0) >= 0;  // of all three in one call
  for (const pollfd& each : streams) {
    const bool closed = told ? (each.revents & POLLNVAL) != 0 : fcntl(each.fd, F_GETFD) < 0;
    if (closed) (void)open("/dev/null", each.fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);  // NOLINT
  }
}

}  // namespace

void note(std::string_view plugin, std::string_view text) {
  say(STDERR_FILENO, std::string(plugin).append(": ").append(text));
}

std::string RepairLine::format() const {
  Json line = Json::object();
  line["containerID"] = attachment.container_id;
  line["ifname"] = attachment.ifname;
  line["netns"] = netns_path;
  line["args"] = cni_args;
  line["config"] = config;
  return compact_json(line) + "\n";
}

Result<RepairLine> RepairLine::parse(std::string_view line) {
  CNIO_LET(const Json object, parse_json(line));
  if (!object.is_object()) return Error::make(Code::kDecode, "a line of stdin is no JSON object");
  const Fields fields(object, {}, Code::kDecode);
  RepairLine out;
  CNIO_LET(out.attachment.container_id, fields.text("containerID"));
  CNIO_LET(out.attachment.ifname, fields.text("ifname"));
  CNIO_LET(out.netns_path, fields.text("netns"));
  CNIO_LET(out.cni_args, fields.text("args"));
  CNIO_LET(out.config, fields.text("config"));
  return out;
}

std::function<Status(const Request&)> nothing_to_do(std::string_view /*why*/) {
  return [](const Request&) { return Status(); };
}

int run_plugin(const Plugin& plugin, int argc, const char* const* argv, const Environment& environment,
               const Streams& streams, const KeepFailure& keep) {
  if (environment.get("CNI_COMMAND").empty()) {
    return answer_about(plugin, streams, argc > 1 ? argv[1] : "");
  }
  const std::string_view path = argc > 0 ? argv[0] : "";
  Call call{plugin, path.substr(path.rfind('/') + 1), environment, streams, keep, Clock::now()};
  try {
    return serve_command(call);
  } catch (const std::exception& fault) {
    return answer_error(call, internal_error(fault));
  }
}

int plugin_main(const Plugin& plugin, int argc, const char* const* argv) {
  open_standard_streams();
  // A reader that has gone away must show as a failed write: ADD is undone then.
  (void)signal(SIGPIPE, SIG_IGN);
  return run_plugin(plugin, argc, argv, Environment::of_process(), Streams{}, keep_failure);
}

}  // namespace cnio::protocol
