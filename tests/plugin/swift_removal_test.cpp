// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// DEL returns when the kernel says that the pair is gone, before it acknowledges: nobody may notice.
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class SwiftRemoval : public BridgeTest {
 protected:
  /// Runs the call with a pipe for stdout and stderr; is its other end closed the moment it has ended?
  static bool pipe_is_closed_at_its_end(const Command& command) {
    int in[2];
    int out[2];
    if (pipe2(static_cast<int*>(in), O_CLOEXEC) != 0 || pipe2(static_cast<int*>(out), O_CLOEXEC) != 0) return false;
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      dup2(out[1], STDERR_FILENO);
      (void)!dup(out[1]);  // one that is not close-on-exec: a runtime that is careless
      std::vector<std::string> settings;
      for (const auto& [name, value] : command.env) settings.push_back(name + "=" + value);
      std::vector<char*> env;
      for (std::string& setting : settings) env.push_back(setting.data());
      env.push_back(nullptr);
      std::string path = command.argv[0];
      char* const argv[] = {path.data(), nullptr};
      execve(path.c_str(), static_cast<char* const*>(argv), env.data());
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    const bool fed = write(in[1], command.stdin_text.data(), command.stdin_text.size()) > 0;
    close(in[1]);
    int status = 0;
    waitpid(pid, &status, 0);
    pollfd waiting = {out[0], POLLIN, 0};
    const bool closed = poll(&waiting, 1, 0) == 1 && (waiting.revents & POLLHUP) != 0;
    close(out[0]);
    return fed && status == 0 && closed;
  }

  /// Where processes that do the same on this host have their lock: a byte of /run/cnio/locks.
  static off_t place_of_the_crowd() {
    struct stat host {};
    EXPECT_EQ(stat("/proc/self/ns/net", &host), 0);
    return (off_t{2} << 56) | static_cast<off_t>(host.st_ino);
  }

  /// Takes part in a crowd, as a DEL that is under way does. Nobody does any more when the file is closed.
  static int join_crowd() {
    const int fd = open("/run/cnio/locks", O_RDWR | O_CLOEXEC);
    struct flock part {};
    part.l_type = F_RDLCK;
    part.l_whence = SEEK_SET;
    part.l_start = place_of_the_crowd();
    part.l_len = 1;
    EXPECT_EQ(fcntl(fd, F_OFD_SETLK, &part), 0);
    return fd;
  }

  /// Is there somebody who wants it for himself? "1: -> OFDLCK ADVISORY  WRITE -1 00:42:17 144115192... 144115192..."
  static bool crowd_is_waited_for() {
    const std::string at = " " + std::to_string(place_of_the_crowd()) + " ";
    std::istringstream locks(read_file("/proc/locks"));
    for (std::string line; std::getline(locks, line);) {
      if (line.find("-> OFDLCK") != std::string::npos && line.find("WRITE") != std::string::npos &&
          line.find(at) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  /// Processes that are called as the plugin is.
  static bool somebody_stayed(const std::string& folder = plugin_dir()) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::error_code gone;
      const auto program = std::filesystem::read_symlink(entry.path() / "exe", gone);
      if (!gone && program == std::filesystem::canonical(folder + "/bridge")) return true;
    }
    return false;
  }

  /// A folder with copies of the plugins, so that nobody else's processes are taken for ours.
  static std::string own_copies() {
    const std::string folder = "/run/test/plugins";
    std::filesystem::create_directories(folder);
    std::filesystem::copy(plugin_dir(), folder, std::filesystem::copy_options::recursive);
    return folder;
  }

  Json config_ = bridge_config();
};

TEST_F(SwiftRemoval, WhoWaitsForTheOutputIsNotHeldUp) {
  config_["ipMasq"] = true;
  bool outlived = false;
  for (int i = 0; i < rounds(50); ++i) {
    must_add(config_, pod());
    const Command command = plugin_command({"bridge", "DEL", pod(), config_.dump()});
    ASSERT_TRUE(pipe_is_closed_at_its_end(command)) << i;
    outlived = outlived || somebody_stayed();
    ASSERT_TRUE(find_link("eth0", pod().netns).is_null());
    ASSERT_THAT(names_on_bridge(), ::testing::IsEmpty());
  }
  EXPECT_TRUE(outlived) << "the caretaker was never seen: the test has proven nothing";
}

TEST_F(SwiftRemoval, TheSameAttachmentCanBeAddedAgainAThousandTimes) {
  config_["ipMasq"] = true;
  config_["ipam"]["ranges"] =
      Json::parse(R"([[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.9"}]])");
  must_add(bridge_config(), pod("other"));
  for (int i = 0; i < rounds(1000); ++i) {
    ASSERT_EQ(must_add(config_, pod()).at("ips").at(0).at("address"), "10.1.0.9/24") << i;
    if (i % 100 == 0) must_run({"ping", "-n", "-q", "-c", "1", "-W", "5", "10.1.0.1"}, pod().netns);
    must_del(config_, pod());
  }
  EXPECT_TRUE(find_link("eth0", pod().netns).is_null());
  EXPECT_EQ(names_on_bridge().size(), 1U);
}

// Otherwise many DELs at once would close their sockets of nf_tables one by one, each under the lock that all need.
TEST_F(SwiftRemoval, WhoStaysBehindOutlastsOtherDeletions) {
  config_["ipMasq"] = true;
  must_add(config_, pod());
  const std::string folder = own_copies();
  const int other = join_crowd();
  Command command = plugin_command({"bridge", "DEL", pod(), config_.dump()});
  command.argv = {folder + "/bridge"};
  command.env["CNI_PATH"] = folder;
  EXPECT_TRUE(succeeded_silently(run(command)));
  EXPECT_TRUE(happens([&] { return crowd_is_waited_for(); })) << "the caretaker does not wait for us";
  close(other);
  EXPECT_TRUE(happens([&] { return !somebody_stayed(folder); }));
}

// Its patience is a signal, which whoever called the plugin may have blocked.
TEST_F(SwiftRemoval, WhoStaysBehindEndsThoughItsSignalsAreBlocked) {
  FAULT("C11 blocked signals");
  config_["ipMasq"] = true;
  must_add(config_, pod());
  const std::string folder = own_copies();
  const int other = join_crowd();
  Command command = plugin_command({"bridge", "DEL", pod(), config_.dump()});
  command.argv = {"env", "--block-signal", folder + "/bridge"};
  command.env["CNI_PATH"] = folder;
  EXPECT_TRUE(succeeded_silently(run(command)));
  EXPECT_TRUE(happens([&] { return crowd_is_waited_for(); })) << "nobody has stayed behind";
  EXPECT_TRUE(happens([&] { return !somebody_stayed(folder); })) << "the other never ends, but patience does";
  close(other);
}

// Somebody who hears of links must not be told of more than one removal, nor of one that comes back.
TEST_F(SwiftRemoval, ARefusedRemovalIsNoSuccess) {
  must_add(config_, pod());
  Command command = plugin_command({"bridge", "DEL", pod(), config_.dump()});
  // Neither the caretaker nor the plugin itself may change links then.
  command.argv = {"setpriv", "--bounding-set=-net_admin", command.argv[0]};
  EXPECT_TRUE(failed(run(command), code::kKernel, {"not permitted"}));
  EXPECT_FALSE(find_link("eth0", pod().netns).is_null());
  EXPECT_TRUE(store_holds("10.1.0.2"));
  must_del(config_, pod());
  EXPECT_TRUE(find_link("eth0", pod().netns).is_null());
}

}  // namespace
}  // namespace cnio::test
