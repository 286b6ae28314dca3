// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/process.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cnio/base/interrupted.hpp"
#include "cnio/base/unique_fd.hpp"

#include "base/pipe.hpp"

namespace cnio {
namespace {

using Clock = std::chrono::steady_clock;

// A file in memory as the child's stdin: whatever its size and however the child reads, nobody waits for anybody.
Result<UniqueFd> stdin_file(std::string_view data) {
  UniqueFd file(memfd_create("stdin", MFD_CLOEXEC));
  if (!file.valid()) return Error::sys("create a memory file", errno);
  CNIO_TRY(write_all(file.get(), data, "memory file"));
  if (lseek(file.get(), 0, SEEK_SET) < 0) return Error::sys("rewind a memory file", errno);
  return file;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// What the child needs, made ready before it exists.
struct Preparation {
  const char* path;
  char* const* args;
  char* const* environment;
  int streams[3];  // its descriptors 0, 1 and 2
  pid_t parent;
};

// In the child, on the parent's memory, while that waits: system calls only. Returns only if it failed, with the errno.
int become(const Preparation& ready) {
  // Whoever calls us may go on as soon as we have ended, however that came about: with a DEL, say. A program that
  // outlived us would then do its work after that.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return errno;
  if (getppid() != ready.parent) return ESRCH;  // it died before that
  for (int target = STDIN_FILENO; target <= STDERR_FILENO; ++target) {
    while (dup2(ready.streams[target], target) < 0) {
      if (errno != EINTR && errno != EBUSY) return errno;
    }
  }
  close_descriptors(STDERR_FILENO + 1);  // ours are close-on-exec; those that we were started with need not be
  // The usual meaning, which we have changed to see failed writes.
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  if (sigaction(SIGPIPE, &usual, nullptr) < 0) return errno;
  execve(ready.path, ready.args, ready.environment);
  return errno;
}

// The id of a new process that runs the program. On failure -1, and `failure` is the errno. By vfork, since a copy of
// our memory would be for nothing; posix_spawn cannot tie the child's life to ours.
pid_t start_program(const Preparation& ready, int& failure) {
  volatile int child_failure = 0;
  const pid_t pid = vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (pid == 0) {
    child_failure = become(ready);  // NOLINT(clang-analyzer-unix.Vfork): its calls act on the child alone
    _exit(127);
  }
  failure = pid < 0 ? errno : child_failure;
  if (pid < 0 || failure == 0) return pid;
  retry_interrupted([&] { return waitpid(pid, nullptr, 0); });
  return -1;
}

// A started child; killed and reaped if it is left behind.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), handle_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  ~Child() {
    if (pid_ < 0) return;
    (void)kill(pid_, SIGKILL);
    (void)wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Readable once the child has ended; -1 on kernels before 5.3.
  [[nodiscard]] int handle() const { return handle_.get(); }

  int wait() {
    int status = 0;
    retry_interrupted([&] { return waitpid(pid_, &status, 0); });
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
  UniqueFd handle_;
};

// One stream of the child's output.
struct Capture {
  UniqueFd fd;
  std::string* into;
  std::string_view name;

  // Takes what is there; closes at the end. False if the limit is passed.
  Result<bool> drain(size_t limit) {
    char buffer[16384];
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got < 0) return Error::sys("read " + std::string(name), errno, Code::kDelegate);
    if (got == 0) {
      fd.reset();
      return true;
    }
    into->append(buffer, static_cast<size_t>(got));
    return into->size() <= limit;
  }
};

Error too_slow(const ProcessSpec& spec, int timeout_ms) {
  return Error::make(Code::kTryAgain,
                     spec.path + " did not end within " + std::to_string(timeout_ms) + " ms and was killed");
}

// Takes what `stream` has to read, if it has.
Status take(const ProcessSpec& spec, Capture& stream, const pollfd& state) {
  if (state.revents == 0) return {};
  CNIO_LET(const bool within_limit, stream.drain(spec.output_limit).context("run " + spec.path));
  if (within_limit) return {};
  return Error::make(Code::kDelegate, spec.path + " wrote more than " + std::to_string(spec.output_limit) +
                                          " bytes to " + std::string(stream.name) + " and was killed");
}

// Gathers output until both streams are at their end and the child is gone, or a bound is reached.
Status gather(const ProcessSpec& spec, int timeout_ms, const Child& child, Capture& out, Capture& err) {
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  bool ended = child.handle() < 0;  // unknown: the end of the output has to do
  for (;;) {
    pollfd waiting[] = {{out.fd.get(), POLLIN, 0}, {err.fd.get(), POLLIN, 0}, {ended ? -1 : child.handle(), POLLIN, 0}};
    if (ended && !out.fd.valid() && !err.fd.valid()) return {};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    // A grandchild may hold the streams open after the child's end: then only what is there already is taken.
    const bool only_rest = ended && child.handle() >= 0;
    if (!only_rest && left <= 0) return too_slow(spec, timeout_ms);  // also if it writes all the time
    const int ready = poll(waiting, 3, only_rest ? 0 : static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return Error::sys("wait for " + spec.path, errno);
    if (ready < 0) continue;
    if (ready == 0) return only_rest ? Status() : too_slow(spec, timeout_ms);
    CNIO_TRY(take(spec, out, waiting[0]));
    CNIO_TRY(take(spec, err, waiting[1]));
    if (waiting[2].revents != 0) ended = true;
  }
}

}  // namespace

std::string ProcessResult::how_it_ended() const {
  return signal != 0 ? "killed by signal " + std::to_string(signal) : "exit status " + std::to_string(exit_status);
}

struct RunningProcess::State {
  ProcessSpec spec;
  UniqueFd late_in;  // where stdin is still to be written to; closed after a child that is left behind has been killed
  Child child;
  ProcessResult result = {};
  Capture out;
  Capture err;

  State(ProcessSpec what, pid_t pid, UniqueFd out_fd, UniqueFd err_fd)
      : spec(std::move(what)),
        child(pid),
        out{std::move(out_fd), &result.out, "stdout"},
        err{std::move(err_fd), &result.err, "stderr"} {}
};

RunningProcess::RunningProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
RunningProcess::RunningProcess(RunningProcess&&) noexcept = default;
RunningProcess& RunningProcess::operator=(RunningProcess&&) noexcept = default;
RunningProcess::~RunningProcess() = default;

Result<RunningProcess> RunningProcess::start(ProcessSpec spec) {
  CNIO_LET(const UniqueFd in, stdin_file(spec.stdin_data));
  return start_with(std::move(spec), in.get());
}

Result<RunningProcess> RunningProcess::start_waiting(ProcessSpec spec) {
  CNIO_LET(Pipe in, make_pipe());
  CNIO_LET(RunningProcess process, start_with(std::move(spec), in.read_end.get()));
  process.state_->late_in = std::move(in.write_end);
  return process;
}

Status RunningProcess::feed() {
  if (!state_->late_in.valid()) return {};
  const Status fed = write_all(state_->late_in.get(), state_->spec.stdin_data, "pipe to " + state_->spec.path);
  // One that does not want it, or is gone, says why by its end.
  if (!fed.ok() && fed.error().errnum() != EPIPE) return fed;
  state_->late_in.reset();
  return {};
}

Result<RunningProcess> RunningProcess::start_with(ProcessSpec spec, int stdin_fd) {
  CNIO_LET(Pipe out, make_pipe());
  CNIO_LET(Pipe err, make_pipe());
  const std::vector<char*> args = pointers(spec.args);
  const std::vector<char*> environment = pointers(spec.environment);
  int failure = 0;
  const pid_t pid = start_program({.path = spec.path.c_str(),
                                   .args = args.data(),
                                   .environment = environment.data(),
                                   .streams = {stdin_fd, out.write_end.get(), err.write_end.get()},
                                   .parent = getpid()},
                                  failure);
  if (failure != 0) {
    return Error::sys("start " + spec.path, failure, failure == ETXTBSY ? Code::kTryAgain : Code::kDelegate);
  }
  return RunningProcess(
      std::make_unique<State>(std::move(spec), pid, std::move(out.read_end), std::move(err.read_end)));
}

Result<ProcessResult> RunningProcess::finish(int timeout_ms) {
  CNIO_TRY(feed());
  CNIO_TRY(gather(state_->spec, timeout_ms, state_->child, state_->out, state_->err));
  const int status = state_->child.wait();
  if (WIFSIGNALED(status)) state_->result.signal = WTERMSIG(status);
  if (WIFEXITED(status)) state_->result.exit_status = WEXITSTATUS(status);
  return std::move(state_->result);
}

Result<ProcessResult> run_process(ProcessSpec spec, int timeout_ms) {
  CNIO_LET(RunningProcess process, RunningProcess::start(std::move(spec)));
  return process.finish(timeout_ms);
}

std::string find_file(std::string_view path_list, const std::string& name, mode_t any_of) {
  std::string unseen;  // perhaps it is there: who opens it learns more
  while (!path_list.empty()) {
    const size_t colon = path_list.find(':');
    const std::string_view folder = path_list.substr(0, colon);
    path_list.remove_prefix(colon == std::string_view::npos ? path_list.size() : colon + 1);
    if (folder.empty()) continue;
    std::string path = std::string(folder) + "/" + name;
    struct stat status {};
    if (stat(path.c_str(), &status) == 0) {
      if (S_ISREG(status.st_mode) && (status.st_mode & any_of) != 0) return path;
    } else if (errno == ENOMEM || errno == EIO) {
      if (unseen.empty()) unseen = std::move(path);
    }
  }
  return unseen;
}

std::string find_executable(std::string_view path_list, const std::string& name) {
  return find_file(path_list, name, 0111);
}

}  // namespace cnio
