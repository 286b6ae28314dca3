// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/process.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "cnio/base/unique_fd.hpp"

#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio {
namespace {

constexpr int kPatienceMs = 60'000;  // for what has to happen; never waited for in full

ProcessSpec shell(const std::string& script, std::string_view stdin_data = {}) {
  ProcessSpec spec;
  spec.path = "/bin/sh";
  spec.args = {"sh", "-c", script};
  spec.environment = {"PATH=/usr/bin:/bin"};
  spec.stdin_data = stdin_data;
  return spec;
}

Result<ProcessResult> run(const ProcessSpec& spec, int timeout_ms = kPatienceMs) {
  return run_process(spec, timeout_ms);
}

// No child is left behind, neither running nor unreaped.
::testing::AssertionResult no_child_left() {
  const pid_t pid = waitpid(-1, nullptr, WNOHANG);
  if (pid < 0 && errno == ECHILD) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "waitpid says " << pid;
}

TEST(RunProcess, CapturesBothStreamsAndTheExitStatus) {
  const auto result = run(shell("echo out; echo err >&2; exit 3"));
  ASSERT_OK(result);
  EXPECT_EQ(result.value().out, "out\n");
  EXPECT_EQ(result.value().err, "err\n");
  EXPECT_EQ(result.value().exit_status, 3);
  EXPECT_EQ(result.value().signal, 0);
  EXPECT_FALSE(result.value().success());
  EXPECT_EQ(result.value().how_it_ended(), "exit status 3");
  EXPECT_TRUE(no_child_left());
}

TEST(RunProcess, ReportsTheSignalThatEndedIt) {
  const auto result = run(shell("kill -KILL $$"));
  ASSERT_OK(result);
  EXPECT_EQ(result.value().signal, SIGKILL);
  EXPECT_FALSE(result.value().success());
  EXPECT_EQ(result.value().how_it_ended(), "killed by signal 9");
}

TEST(RunProcess, PassesArgumentsAndEnvironmentAsTheyAre) {
  ProcessSpec spec = shell(R"(printf '%s|' "$0" "$@" "$A" "$HOME")");
  spec.args.insert(spec.args.end(), {"zero", "a b", "$A", ""});
  spec.environment.push_back("A=*; echo x");
  const auto result = run(spec);
  ASSERT_OK(result);
  EXPECT_EQ(result.value().out, "zero|a b|$A||*; echo x||");
}

TEST(RunProcess, FeedsInputLargerThanAPipe) {
  const std::string big(3 << 20, 'x');
  const auto result = run(shell("wc -c", big));
  ASSERT_OK(result);
  EXPECT_EQ(std::stoul(result.value().out), big.size());
}

TEST(RunProcess, ReturnsOutputLargerThanAPipe) {
  const std::string big(1 << 20, 'y');
  ProcessSpec spec = shell("cat; echo done >&2", big);
  const auto result = run(spec);
  ASSERT_OK(result);
  EXPECT_TRUE(result.value().out == big);
  EXPECT_EQ(result.value().err, "done\n");
}

TEST(RunProcess, DoesNotCareWhetherInputIsRead) {
  const auto result = run(shell("exec 0<&-; echo ok", std::string(1 << 20, 'x')));
  ASSERT_OK(result);
  EXPECT_EQ(result.value().out, "ok\n");
}

TEST(RunProcess, EmptyInputIsAnEndOfFile) {
  const auto result = run(shell("cat; echo end"));
  ASSERT_OK(result);
  EXPECT_EQ(result.value().out, "end\n");
}

// Its output is at its end long before the program is.
TEST(RunProcess, AWaitingProgramGetsItsInputLater) {
  auto process = RunningProcess::start_waiting(shell("cat", "some input"));
  ASSERT_OK(process);
  const auto ended = process.value().finish(kPatienceMs);
  ASSERT_OK(ended);
  EXPECT_EQ(ended.value().out, "some input");
  EXPECT_TRUE(no_child_left());
}

TEST(RunProcess, AWaitingProgramThatIsLeftBehindIsKilledBeforeItsInputEnds) {
  const test::TempFolder folder;
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(RunningProcess::start_waiting(shell("cat; : >" + folder.at("began"), "some input")));
    ASSERT_TRUE(no_child_left());
    ASSERT_FALSE(std::filesystem::exists(folder.at("began")));
  }
}

TEST(RunProcess, AWaitingProgramThatDoesNotWaitIsNoFailure) {
  const auto usual = std::signal(SIGPIPE, SIG_IGN);  // as in plugins
  auto process = RunningProcess::start_waiting(shell("exec <&-; echo done", "some input"));
  ASSERT_OK(process);
  const auto ended = process.value().finish(kPatienceMs);
  ASSERT_OK(ended);
  EXPECT_EQ(ended.value().out, "done\n");
  (void)std::signal(SIGPIPE, usual);
}

TEST(RunProcess, WaitsForAProgramThatClosedItsOutput) {
  const test::TempFolder folder;
  const auto result = run(shell("exec >&- 2>&-; : > " + folder.at("late") + "; exit 4"));
  ASSERT_OK(result);
  EXPECT_EQ(result.value().exit_status, 4);
  EXPECT_TRUE(folder.has("late"));
}

// A daemon that the program leaves behind holds its output open: the program's own end counts.
TEST(RunProcess, DoesNotWaitForGrandchildren) {
  ProcessSpec spec = shell("sleep 600 & echo $!");
  const auto result = run(spec);
  ASSERT_OK(result);
  const pid_t grandchild = std::stoi(result.value().out);
  EXPECT_EQ(kill(grandchild, SIGKILL), 0);  // it was alive all the time
}

// Who killed us may do something else for the same attachment at once.
TEST(RunProcess, DiesWithItsCaller) {
  const test::TempFolder folder;
  const std::string pipe = folder.at("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const pid_t caller = fork();
  if (caller == 0) {
    (void)run(shell("exec >" + pipe + "; echo ready; exec sleep 600"), 600'000);
    _exit(0);
  }
  const UniqueFd reader(open(pipe.c_str(), O_RDONLY | O_CLOEXEC));
  char text[16];
  EXPECT_EQ(read(reader.get(), text, sizeof text), 6);  // "ready\n"
  EXPECT_EQ(kill(caller, SIGKILL), 0);
  EXPECT_EQ(waitpid(caller, nullptr, 0), caller);
  pollfd end = {reader.get(), POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, kPatienceMs), 1) << "the program lives on";
}

TEST(RunProcess, EndlessOutputIsCutAndTheProgramKilled) {
  EXPECT_ERROR(run(shell("exec yes")), Code::kDelegate, "/bin/sh wrote more than 1048576 bytes to stdout");
  EXPECT_TRUE(no_child_left());
  EXPECT_ERROR(run(shell("exec yes >&2")), Code::kDelegate, "to stderr");
  EXPECT_TRUE(no_child_left());
}

TEST(RunProcess, TheOutputLimitItselfIsAllowed) {
  ProcessSpec spec = shell("printf 12345");
  spec.output_limit = 5;
  EXPECT_OK(run(spec));
  spec.output_limit = 4;
  EXPECT_ERROR(run(spec), Code::kDelegate, "more than 4 bytes");
}

TEST(RunProcess, IsKilledWhenItsTimeIsOver) {
  ProcessSpec spec = shell("exec sleep 600");
  EXPECT_ERROR(run(spec, 50), Code::kTryAgain, "/bin/sh did not end within 50 ms and was killed");
  EXPECT_TRUE(no_child_left());
}

// What it started may live on, with its output open.
TEST(RunProcess, ChildrenOfAProgramThatWasKilledAreNotWaitedFor) {
  const test::TempFolder folder;
  const ProcessSpec spec = shell("sleep 600 & echo $! > " + folder.at("child") + "; wait");
  EXPECT_ERROR(run(spec, 300), Code::kTryAgain, "did not end within 300 ms");
  EXPECT_TRUE(no_child_left());
  const std::string child = folder.has("child") ? folder.read("child") : "";
  if (!child.empty()) {
    EXPECT_EQ(kill(std::stoi(child), SIGKILL), 0);  // it was alive all the time
  }
}

// Not even one that writes all the time, slowly enough never to reach the limit.
TEST(RunProcess, IsKilledWhenItsTimeIsOverThoughItWrites) {
  ProcessSpec spec = shell("while :; do echo x; done");
  spec.output_limit = size_t{1} << 40U;
  EXPECT_ERROR(run(spec, 100), Code::kTryAgain, "did not end within");
  EXPECT_TRUE(no_child_left());
}

TEST(RunProcess, GivesSigpipeItsUsualMeaning) {
  const auto before = signal(SIGPIPE, SIG_IGN);
  const auto result = run(shell("kill -PIPE $$; echo survived"));
  (void)signal(SIGPIPE, before);
  ASSERT_OK(result);
  EXPECT_EQ(result.value().signal, SIGPIPE);
  EXPECT_EQ(result.value().out, "");
}

// Not even a descriptor that we inherited without the close-on-exec flag.
TEST(RunProcess, PassesOnTheStandardDescriptorsOnly) {
  const UniqueFd inherited(open("/dev/null", O_RDONLY));  // NOLINT(android-cloexec-open): that is the subject
  const UniqueFd far(fcntl(inherited.get(), F_DUPFD, 70));
  ASSERT_TRUE(far.valid());
  const auto result =
      run(shell("n=0; while [ $n -lt 100 ]; do [ -e /proc/$$/fd/$n ] && echo $n; n=$((n+1)); done; true"));
  ASSERT_OK(result);
  EXPECT_EQ(result.value().out, "0\n1\n2\n");
}

TEST(RunProcess, LeavesNoDescriptorOpen) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = count();
  EXPECT_OK(run(shell("true")));
  EXPECT_ERROR(run(shell("exec yes")), Code::kDelegate);
  ProcessSpec missing = shell("");
  missing.path = "/nonexistent";
  EXPECT_ERROR(run(missing), Code::kDelegate);
  EXPECT_EQ(count(), before);
}

class Unstartable : public ::testing::Test {
 protected:
  Result<ProcessResult> start(const std::string& name) const {
    ProcessSpec spec = shell("");
    spec.path = folder_.at(name);
    return run(spec);
  }
  void make(const std::string& name, const std::string& content, std::filesystem::perms mode) const {
    folder_.write(name, content);
    std::filesystem::permissions(folder_.at(name), mode);
  }

  test::TempFolder folder_;
};

TEST_F(Unstartable, MissingFile) {
  const auto result = start("none");
  EXPECT_ERROR(result, Code::kDelegate, "start " + folder_.at("none") + ": No such file");
  EXPECT_EQ(result.error().errnum(), ENOENT);
}

TEST_F(Unstartable, FileWithoutExecuteBit) {
  make("plain", "#!/bin/sh\n", std::filesystem::perms(0600));
  EXPECT_EQ(start("plain").error().errnum(), EACCES);
}

TEST_F(Unstartable, Folder) {
  std::filesystem::create_directory(folder_.at("folder"));
  EXPECT_EQ(start("folder").error().errnum(), EACCES);
}

TEST_F(Unstartable, MissingInterpreter) {
  make("script", "#!/nonexistent/interpreter\n", std::filesystem::perms(0700));
  EXPECT_EQ(start("script").error().errnum(), ENOENT);
}

// posix_spawnp and system(3) would hand such a file to a shell.
TEST_F(Unstartable, FileThatIsNoProgram) {
  make("text", "echo executed\n", std::filesystem::perms(0700));
  EXPECT_EQ(start("text").error().errnum(), ENOEXEC);
}

TEST_F(Unstartable, ProgramThatIsBeingWrittenIsToBeTriedAgain) {
  std::filesystem::copy_file("/bin/true", folder_.at("busy"));
  const UniqueFd writer(open(folder_.at("busy").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(writer.valid());
  const auto result = start("busy");
  EXPECT_ERROR(result, Code::kTryAgain, "Text file busy");
  EXPECT_EQ(result.error().errnum(), ETXTBSY);
}

class FindExecutable : public ::testing::Test {
 protected:
  FindExecutable() {
    program("a/tool");
    program("b/tool");
    program("b/other");
  }
  void program(const std::string& name, unsigned mode = 0755) const {
    folder_.write(name, "#!/bin/sh\n");
    std::filesystem::permissions(folder_.at(name), std::filesystem::perms(mode));
  }
  std::string in(const std::vector<std::string>& folders, const std::string& name) const {
    std::string list;
    for (const auto& each : folders) list += (list.empty() ? "" : ":") + folder_.at(each);
    return find_executable(list, name);
  }

  test::TempFolder folder_;
};

TEST_F(FindExecutable, TheFirstFolderWins) {
  EXPECT_EQ(in({"a", "b"}, "tool"), folder_.at("a/tool"));
  EXPECT_EQ(in({"b", "a"}, "tool"), folder_.at("b/tool"));
  EXPECT_EQ(in({"missing", "a", "b"}, "other"), folder_.at("b/other"));
}

TEST_F(FindExecutable, NothingIsAnAnswer) {
  EXPECT_EQ(in({"a", "b"}, "none"), "");
  EXPECT_EQ(find_executable("", "tool"), "");
  EXPECT_EQ(find_executable(":::", "tool"), "");
  EXPECT_EQ(in({"a"}, ""), "");
  EXPECT_EQ(in({"a"}, "."), "");
  EXPECT_EQ(in({"a/sub"}, ".."), "");
}

TEST_F(FindExecutable, EmptyEntriesAreNoFolder) {
  const std::string list = "::" + folder_.at("a") + ":";
  EXPECT_EQ(find_executable(list, "tool"), folder_.at("a/tool"));
  // An empty entry is not the working directory.
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.at("a"));
  EXPECT_EQ(find_executable(":", "tool"), "");
  EXPECT_EQ(find_executable(".", "tool"), "./tool");
  std::filesystem::current_path(before);
}

// A file without execute permission, or a folder of that name, must not hide a good one.
TEST_F(FindExecutable, SkipsWhatCannotBeExecuted) {
  program("c/tool", 0644);
  std::filesystem::create_directories(folder_.at("d/tool"));
  std::filesystem::create_directories(folder_.at("e"));
  std::filesystem::create_symlink("/nonexistent", folder_.at("e/tool"));
  EXPECT_EQ(in({"c", "d", "e", "b"}, "tool"), folder_.at("b/tool"));
}

TEST_F(FindExecutable, FollowsLinks) {
  std::filesystem::create_directories(folder_.at("f"));
  std::filesystem::create_symlink(folder_.at("b/other"), folder_.at("f/alias"));
  EXPECT_EQ(in({"f"}, "alias"), folder_.at("f/alias"));
}

}  // namespace
}  // namespace cnio
