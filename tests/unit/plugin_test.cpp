// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/plugin.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sstream>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "support/host.hpp"

namespace cnio::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kConfig[] = R"({"cniVersion": "1.0.0", "name": "n", "type": "fake"})";

UniqueFd memory_file(std::string_view content = {}) {
  UniqueFd file(memfd_create("stream", MFD_CLOEXEC));
  EXPECT_TRUE(write_all(file.get(), content, "memory file").ok());
  EXPECT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
  return file;
}

std::string content_of(const UniqueFd& file) {
  EXPECT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
  return read_all(file.get(), size_t{1} << 22U, "memory file").value();
}

struct Answer {
  int status = -1;
  std::string out;
  std::string err;

  // stdout as the one JSON object that it must be.
  [[nodiscard]] Json json() const {
    auto parsed = parse_json(out);
    EXPECT_TRUE(parsed.ok()) << out;
    return parsed.ok() ? std::move(parsed).value() : Json();
  }
  [[nodiscard]] unsigned code() const { return json().value("code", 0U); }
  [[nodiscard]] std::string msg() const { return json().value("msg", ""); }
};

// A plugin whose verbs note that they ran; tests replace those that they are about.
class RunPlugin : public ::testing::Test {
 protected:
  RunPlugin() {
    plugin_.name = "fake";
    plugin_.about = "Does nothing.";
    plugin_.example_config = R"({"name": "demo"})";
    plugin_.add = [this](const Request&, Rollback& undo) -> Result<AddResult> {
      calls_.push_back("add");
      undo.add("undo add", noting("undo"));
      return AddResult{};
    };
    plugin_.del = verb("del");
    plugin_.check = verb("check");
    plugin_.status = verb("status");
    plugin_.gc = verb("gc");
  }

  Rollback::Step noting(const std::string& what) {
    return [this, what]() -> Status {
      calls_.push_back(what);
      return {};
    };
  }
  std::function<Status(const Request&)> verb(const std::string& name) {
    return [step = noting(name)](const Request&) { return step(); };
  }

  static std::vector<std::string> variables(const std::string& command) {
    return {"CNI_COMMAND=" + command, "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none", "CNI_IFNAME=eth0",
            "CNI_PATH=/opt/cni/bin"};
  }
  Answer run_with(const std::vector<std::string>& environment, std::string_view config,
                  std::vector<const char*> argv = {"fake"}) {
    const UniqueFd in = memory_file(config);
    const UniqueFd out = memory_file();
    const UniqueFd err = memory_file();
    out_fd_ = out.get();
    Answer answer;
    answer.status = run_plugin(plugin_, static_cast<int>(argv.size()), argv.data(), Environment(environment),
                               {in.get(), out.get(), err.get()});
    answer.out = content_of(out);
    answer.err = content_of(err);
    return answer;
  }
  Answer run(const std::string& command, std::string_view config = kConfig) {
    return run_with(variables(command), config);
  }
  // ADD with a stdout of the caller's.
  Answer add_to(int out) {
    const UniqueFd in = memory_file(kConfig);
    const UniqueFd err = memory_file();
    const char* argv[] = {"fake"};
    Answer answer;
    answer.status = run_plugin(plugin_, 1, argv, Environment(variables("ADD")), {in.get(), out, err.get()});
    answer.err = content_of(err);
    return answer;
  }

  Plugin plugin_;
  std::vector<std::string> calls_;
  int out_fd_ = -1;  // stdout of the call that is running
};

TEST_F(RunPlugin, AddPrintsTheResultAndKeepsWhatItDid) {
  const Answer answer = run("ADD");
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.out, "{\n    \"cniVersion\": \"1.0.0\"\n}");
  EXPECT_EQ(answer.err, "");
  EXPECT_THAT(calls_, ElementsAre("add"));
}

TEST_F(RunPlugin, OtherVerbsPrintNothing) {
  const std::string config = R"({"cniVersion": "1.1.0", "name": "n"})";
  for (const char* command : {"DEL", "CHECK", "STATUS", "GC"}) {
    const Answer answer = run(command, config);
    EXPECT_EQ(answer.status, 0) << command;
    EXPECT_EQ(answer.out + answer.err, "") << command;
  }
  EXPECT_THAT(calls_, ElementsAre("del", "check", "status", "gc"));
}

TEST_F(RunPlugin, VerbsGetTheWholeRequest) {
  plugin_.add = [&](const Request& request, Rollback&) -> Result<AddResult> {
    EXPECT_EQ(request.command, Command::kAdd);
    EXPECT_EQ(request.attachment, (Attachment{"c1", "eth0"}));
    EXPECT_EQ(request.network, "n");
    EXPECT_EQ(request.version, SpecVersion::k100);
    EXPECT_EQ(request.stdin_data, kConfig);
    EXPECT_EQ(request.environment.get("CNI_PATH"), "/opt/cni/bin");
    EXPECT_EQ(request.fields().text("TYPE").value(), "fake");
    return AddResult{};
  };
  EXPECT_EQ(run("ADD").status, 0);
}

// ---- errors

TEST_F(RunPlugin, AFailureIsOneObjectAndStatusOne) {
  PARITY("T12");
  plugin_.del = [](const Request&) { return Status(Error::make(Code::kKernel, "remove eth0: busy", "see <this>")); };
  const Answer answer = run("DEL");
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.out,
            "{\n    \"cniVersion\": \"1.0.0\",\n    \"code\": 100,\n    \"msg\": \"fake: remove eth0: busy\",\n"
            "    \"details\": \"see \\u003cthis\\u003e\"\n}");
  EXPECT_EQ(answer.err, "");
}

TEST_F(RunPlugin, DetailsAreLeftOutWhenThereAreNone) {
  plugin_.del = [](const Request&) { return Status(Error::make(Code::kKernel, "x")); };
  EXPECT_FALSE(run("DEL").json().contains("details"));
}

TEST_F(RunPlugin, AFailedAddIsUndoneBeforeTheErrorIsPrinted) {
  plugin_.add = [&](const Request&, Rollback& undo) -> Result<AddResult> {
    undo.add("step", noting("undo step"));
    undo.last("address", [&]() -> Status {
      EXPECT_EQ(lseek(out_fd_, 0, SEEK_END), 0);  // a runtime that reads the error may try again at once
      return noting("undo address")();
    });
    return Error::make(Code::kConflict, "taken");
  };
  const Answer answer = run("ADD");
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.code(), 103U);
  EXPECT_THAT(calls_, ElementsAre("undo step", "undo address"));
}

TEST_F(RunPlugin, AnUndoThatFailsIsReportedOnStderrOnly) {
  plugin_.add = [&](const Request&, Rollback& undo) -> Result<AddResult> {
    undo.add("first", noting("undo first"));
    undo.add("remove veth0", [] { return Status(Error::make(Code::kKernel, "busy")); });
    undo.add("throw", []() -> Status { throw std::runtime_error("oops"); });
    return Error::make(Code::kConflict, "taken");
  };
  const Answer answer = run("ADD");
  EXPECT_EQ(answer.code(), 103U);
  EXPECT_THAT(answer.err, HasSubstr("undo: remove veth0: busy\n"));
  EXPECT_THAT(answer.err, HasSubstr("undo: throw: oops\n"));
  EXPECT_THAT(calls_, ElementsAre("undo first"));
}

// ---- exceptions

TEST_F(RunPlugin, AnExceptionFromAddIsInternalAndUndone) {
  plugin_.add = [&](const Request&, Rollback& undo) -> Result<AddResult> {
    undo.add("step", noting("undo"));
    throw std::runtime_error("out of cheese");
  };
  const Answer answer = run("ADD");
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.code(), 999U);
  EXPECT_EQ(answer.msg(), "fake: internal error: out of cheese");
  EXPECT_EQ(answer.json().value("cniVersion", ""), "1.0.0");
  EXPECT_THAT(calls_, ElementsAre("undo"));
}

TEST_F(RunPlugin, AnExceptionFromAnotherVerbIsInternal) {
  plugin_.del = [](const Request&) -> Status { throw std::bad_alloc(); };
  const Answer answer = run("DEL");
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.code(), 999U);
  EXPECT_THAT(answer.msg(), StartsWith("fake: internal error: "));
}

// ---- an answer that cannot be written

TEST_F(RunPlugin, AddIsUndoneWhenItsAnswerCannotBeWritten) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Answer answer = add_to(full.get());
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.err, HasSubstr("write stdout: No space left on device"));
  EXPECT_THAT(calls_, ElementsAre("add", "undo"));
}

TEST_F(RunPlugin, AddIsUndoneWhenNobodyReadsItsAnswer) {
  const auto before = signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[1]);
  close(ends[0]);
  EXPECT_EQ(add_to(out.get()).status, 1);
  EXPECT_THAT(calls_, ElementsAre("add", "undo"));
  (void)signal(SIGPIPE, before);
}

TEST_F(RunPlugin, AddIsUndoneWhenStdoutIsNotOpenForWriting) {
  const UniqueFd read_only(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(add_to(read_only.get()).status, 1);
  EXPECT_THAT(calls_, ElementsAre("add", "undo"));
}

// The shape of old versions cannot say "no address": that too is an answer that cannot be written.
TEST_F(RunPlugin, AddIsUndoneWhenItsResultCannotBeExpressed) {
  const Answer answer = run("ADD", R"({"cniVersion": "0.2.0", "name": "n"})");
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.code(), 2U);
  EXPECT_THAT(calls_, ElementsAre("add", "undo"));
}

// ---- input

TEST_F(RunPlugin, InputOverOneMebibyteIsRefused) {
  const std::string padding((1 << 20) - sizeof kConfig + 1, ' ');
  EXPECT_EQ(run("ADD", kConfig + padding).status, 0);
  const Answer answer = run("ADD", kConfig + padding + " ");
  EXPECT_EQ(answer.code(), 6U);
  EXPECT_THAT(answer.msg(), HasSubstr("larger than 1 MiB"));
}

TEST_F(RunPlugin, UnreadableInputIsAnInputError) {
  PARITY("T07");
  const UniqueFd folder(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd out = memory_file();
  const char* argv[] = {"fake"};
  EXPECT_EQ(run_plugin(plugin_, 1, argv, Environment(variables("ADD")), {folder.get(), out.get(), out.get()}), 1);
  EXPECT_THAT(content_of(out), HasSubstr("\"code\": 5,"));
  EXPECT_THAT(calls_, IsEmpty());
}

TEST_F(RunPlugin, BadInputNeverReachesAVerb) {
  EXPECT_EQ(run("ADD", "").code(), 6U);
  EXPECT_EQ(run("ADD", "{}").code(), 7U);
  EXPECT_EQ(run("add", kConfig).code(), 4U);
  EXPECT_EQ(run("DEL", R"({"name": "n", "plugins": [{"type": "fake"}]})").code(), 7U);
  EXPECT_EQ(run("GC", kConfig).code(), 1U);
  EXPECT_EQ(run_with({"CNI_COMMAND=DEL"}, kConfig).code(), 4U);
  EXPECT_THAT(calls_, IsEmpty());
}

TEST_F(RunPlugin, AnUnknownCommandIsNamedWhateverIsOnStdin) {
  FAULT("E23 unknown command");
  for (const std::string& text :
       {std::string(), std::string("garbage"), std::string("{}"), std::string(2 << 20, ' ')}) {
    const Answer answer = run("FOO", text);
    EXPECT_EQ(answer.code(), 4U) << text.substr(0, 20);
    EXPECT_THAT(answer.msg(), HasSubstr("CNI_COMMAND \"FOO\""));
  }
  EXPECT_EQ(run("FOO", kConfig).json().value("cniVersion", ""), "1.0.0");
}

TEST_F(RunPlugin, ErrorsAreAnsweredInTheConfigurationsVersion) {
  EXPECT_EQ(run("ADD", R"({"cniVersion": "0.3.1"})").json().value("cniVersion", ""), "0.3.1");
  EXPECT_EQ(run("ADD", R"({"name": "n", "cniVersion": "9.9.9"})").json().value("cniVersion", ""), "1.1.0");
  EXPECT_EQ(run("ADD", "").json().value("cniVersion", ""), "1.1.0");
}

std::vector<std::string> in_own_namespace(std::vector<std::string> variables) {
  variables[2] = "CNI_NETNS=/proc/self/ns/net";
  return variables;
}

TEST_F(RunPlugin, ItsOwnNamespaceIsRefusedBeforeTheVerb) {
  PARITY("T15");
  EXPECT_EQ(run_with(in_own_namespace(variables("ADD")), kConfig).code(), 8U);
  EXPECT_EQ(run_with(in_own_namespace(variables("CHECK")), kConfig).code(), 8U);
  EXPECT_THAT(calls_, IsEmpty());
  auto environment = in_own_namespace(variables("ADD"));
  environment.push_back("CNI_NETNS_OVERRIDE=1");
  EXPECT_EQ(run_with(environment, kConfig).status, 0);
  EXPECT_THAT(calls_, ElementsAre("add"));
}

TEST_F(RunPlugin, DelTakesItsOwnNamespaceForASandboxThatIsGone) {
  FAULT("C10 own namespace");
  std::vector<std::string> sandboxes;
  plugin_.del = [&](const Request& request) -> Status {
    sandboxes.push_back(request.netns_path + "|" + request.environment.get("CNI_NETNS"));
    return {};
  };
  auto environment = in_own_namespace(variables("DEL"));
  const Answer answer = run_with(environment, kConfig);
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.out, "");
  EXPECT_THAT(answer.err, HasSubstr("fake: CNI_NETNS \"/proc/self/ns/net\" is the plugin's own network namespace"));
  environment.push_back("CNI_NETNS_OVERRIDE=1");
  EXPECT_EQ(run_with(environment, kConfig).err, "");
  EXPECT_THAT(sandboxes, ElementsAre("|", "/proc/self/ns/net|/proc/self/ns/net"));
}

// ---- on a terminal

TEST_F(RunPlugin, AnAnswerEndsItsLineOnATerminalOnly) {
  FAULT("E23 newline");
  const UniqueFd terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_GE(terminal.get(), 0);
  ASSERT_EQ(unlockpt(terminal.get()), 0);
  const UniqueFd out(open(ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_GE(out.get(), 0);
  EXPECT_EQ(add_to(out.get()).status, 0);
  std::string shown(64, '\0');
  shown.resize(static_cast<size_t>(std::max<ssize_t>(0, read(terminal.get(), shown.data(), shown.size()))));
  EXPECT_EQ(shown, "{\r\n    \"cniVersion\": \"1.0.0\"\r\n}\r\n");
  EXPECT_EQ(run("ADD").out.back(), '}');
}

// ---- without a verb

TEST_F(RunPlugin, WithoutCommandTellsWhatItIs) {
  PARITY("T08");
  for (const std::vector<std::string>& environment :
       std::vector<std::vector<std::string>>{{}, {"CNI_COMMAND="}, {"PATH=/bin"}}) {
    const Answer answer = run_with(environment, "garbage", {"/opt/cni/bin/renamed", "some", "--arguments"});
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.out, "");
    EXPECT_EQ(answer.err, "CNI fake plugin v" CNIO_VERSION
                          "\nCNI protocol versions supported: "
                          "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n");
  }
  EXPECT_EQ(run_with({}, "", {}).status, 0);  // not even a name
}

TEST_F(RunPlugin, HelpShowsACallByHandAndTheKeys) {
  static constexpr Key kOwn[] = {{"speed", KeyType::kInteger, "10", "how fast", "1 to 20"}};
  plugin_.keys = kOwn;
  for (const char* option : {"--help", "-h"}) {
    const Answer answer = run_with({}, "", {"fake", option});
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.err, "");
    EXPECT_THAT(answer.out, StartsWith("CNI fake plugin v" CNIO_VERSION "\n"));
    EXPECT_THAT(answer.out, HasSubstr("Does nothing."));
    EXPECT_THAT(answer.out, HasSubstr("echo '{\"name\": \"demo\"}' |"));
    EXPECT_THAT(answer.out, HasSubstr("CNI_COMMAND=ADD"));
    EXPECT_THAT(answer.out,
                HasSubstr("\nKeys of fake:\n\n  speed: 1 to 20; 10\n      how fast\n\nKeys of every plugin:\n"));
    EXPECT_THAT(answer.out, HasSubstr("\n  cniVersion: "));
  }
}

TEST_F(RunPlugin, VersionOnRequestGoesToStdout) {
  const Answer answer = run_with({}, "", {"fake", "--version"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.out, run_with({}, "", {"fake"}).err);
  EXPECT_EQ(answer.err, "");
}

TEST_F(RunPlugin, HelpThatCannotBeWrittenIsAFailure) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  const UniqueFd in = memory_file(), err = memory_file();
  const char* const argv[] = {"fake", "--help"};
  EXPECT_EQ(run_plugin(plugin_, 2, argv, Environment({}), {in.get(), full.get(), err.get()}), 1);
  EXPECT_THAT(content_of(err), HasSubstr("stdout"));
}

TEST_F(RunPlugin, VersionNeedsNothingElse) {
  PARITY("T09");
  const Answer answer = run_with({"CNI_COMMAND=VERSION"}, "garbage");
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.out, R"({"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0",)"
                        R"("1.0.0","1.1.0"]})"
                        "\n");
  EXPECT_EQ(answer.err, "");
}

TEST(NothingToDo, Succeeds) { EXPECT_TRUE(nothing_to_do("keeps no state")(Request{}).ok()); }

TEST_F(RunPlugin, TellsOfFailuresWhenTheAnswerIsOut) {
  plugin_.del = [](const Request&) -> Status { return Error::make(Code::kIo, "no space", "make some"); };
  const UniqueFd in = memory_file(kConfig);
  const UniqueFd out = memory_file();
  const char* argv[] = {"fake"};
  auto environment = variables("DEL");
  environment.emplace_back("CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=web");
  std::vector<Failure> kept;
  bool answered = false;
  const auto keep = [&](const Failure& failure) {
    kept.push_back(failure);
    answered = !content_of(out).empty();
  };
  EXPECT_EQ(run_plugin(plugin_, 1, argv, Environment(environment), {in.get(), out.get(), 2}, keep), 1);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_TRUE(answered);
  EXPECT_EQ(kept[0].verb, "DEL");
  EXPECT_EQ(kept[0].code, 5U);
  EXPECT_EQ(kept[0].network, "n");
  EXPECT_EQ(kept[0].attachment, (Attachment{"c1", "eth0"}));
  EXPECT_EQ(kept[0].pod, "default/web");
  EXPECT_EQ(kept[0].msg, "no space");
  EXPECT_EQ(kept[0].details, "make some");
}

RepairLine line_of(const std::string& container, const std::string& config = kConfig) {
  return {{container, "eth0"}, "/run/netns/" + container, "K8S_POD_NAME=" + container, config};
}

TEST(RepairLine, SaysTheSameWhenItIsReadAgain) {
  const RepairLine line = {{"c\n1", "e\"0"}, "/run/\x01", "A=b\\", "{\n \"name\": \"\u00e4\"\n}"};
  const std::string text = line.format();
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const auto read = RepairLine::parse(text);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().attachment, line.attachment);
  EXPECT_EQ(read.value().netns_path, line.netns_path);
  EXPECT_EQ(read.value().cni_args, line.cni_args);
  EXPECT_EQ(read.value().config, line.config);
  for (const char* bad : {"", "x", "[]", R"({"containerID": 1})", R"({"config": {}})"}) {
    EXPECT_FALSE(RepairLine::parse(bad).ok()) << bad;
  }
}

TEST_F(RunPlugin, RepairsEachByItself) {
  plugin_.repair = [this](const Request& request) -> Result<std::string> {
    calls_.push_back(request.attachment.container_id + " in " + request.netns_path + " with " + request.cni_args);
    if (request.attachment.container_id == "broken") throw std::runtime_error("no memory");
    if (request.attachment.container_id == "lost") return Error::make(Code::kCheckFailed, "its port is gone", "see");
    return request.attachment.container_id == "well" ? std::string() : "a rule";
  };
  std::string lines;
  for (const char* each : {"well", "broken", "lost", "../x"}) lines += line_of(each).format();
  lines += "garbage\n" + line_of("old", R"({"cniVersion": "9.0.0", "name": "n"})").format() + line_of("last").format();
  lines.pop_back();  // an end that is missing
  const Answer answer = run("CNIO_REPAIR_EACH", lines);
  EXPECT_EQ(answer.status, 0);
  std::vector<Json> said;
  std::istringstream stream(answer.out);
  for (std::string line; std::getline(stream, line);) said.push_back(parse_json(line).value());
  ASSERT_EQ(said.size(), 7U);
  EXPECT_EQ(said[0], (Json{{"repaired", ""}}));
  EXPECT_EQ(said[1].at("code"), 999U);
  EXPECT_EQ(said[2].at("msg"), "fake: its port is gone");
  EXPECT_EQ(said[2].at("code"), static_cast<unsigned>(Code::kCheckFailed));
  EXPECT_EQ(said[3].at("code"), 4U);
  EXPECT_EQ(said[4].at("code"), 6U);
  EXPECT_EQ(said[5].at("code"), 1U);
  EXPECT_EQ(said[6], (Json{{"repaired", "a rule"}}));
  EXPECT_THAT(calls_, ElementsAre("well in /run/netns/well with K8S_POD_NAME=well",
                                  "broken in /run/netns/broken with K8S_POD_NAME=broken",
                                  "lost in /run/netns/lost with K8S_POD_NAME=lost",
                                  "last in /run/netns/last with K8S_POD_NAME=last"));
}

// Whoever reads the answers sees those that were finished, however the call ends.
TEST_F(RunPlugin, AnswersALineWhenItIsKnown) {
  std::string before;
  plugin_.repair = [&](const Request& request) -> Result<std::string> {
    if (request.attachment.container_id == "c2") {
      std::string text(4096, '\0');
      const ssize_t size = pread(out_fd_, text.data(), text.size(), 0);
      before = text.substr(0, size < 0 ? 0 : static_cast<size_t>(size));
    }
    return std::string();
  };
  run("CNIO_REPAIR_EACH", line_of("c1").format() + line_of("c2").format());
  EXPECT_EQ(before, "{\"repaired\":\"\"}\n");
}

TEST_F(RunPlugin, TellsOfNothingElse) {
  const auto keep = [](const Failure& failure) { FAIL() << failure.verb; };
  plugin_.repair = [](const Request&) -> Result<std::string> { return Error::make(Code::kCheckFailed, "lost"); };
  for (const std::string command : {"ADD", "DEL", "VERSION", "CNIO_REPAIR", "CNIO_REPAIR_EACH", "NONSENSE"}) {
    const UniqueFd in = memory_file(kConfig);
    const UniqueFd out = memory_file();
    const char* argv[] = {"fake"};
    (void)run_plugin(plugin_, 1, argv, Environment(variables(command)), {in.get(), out.get(), 2}, keep);
  }
}

}  // namespace
}  // namespace cnio::protocol
