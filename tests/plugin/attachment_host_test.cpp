// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Hosts as they are: unprivileged users, a /run that cannot be written, user namespaces, much at once.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/attachment_fixture.hpp"

namespace cnio::test {
namespace {

/// A process of an unprivileged user who locks whatever he can open.
class Locker {
 public:
  explicit Locker(const std::vector<std::string>& paths) {
    int ready[2];
    if (pipe2(static_cast<int*>(ready), O_CLOEXEC) != 0) return;
    pid_ = fork();
    if (pid_ == 0) lock_all(paths, ready[1]);
    close(ready[1]);
    char held = 0;
    if (read(ready[0], &held, 1) == 1) held_ = static_cast<unsigned char>(held);
    close(ready[0]);
  }
  Locker(const Locker&) = delete;
  Locker& operator=(const Locker&) = delete;
  ~Locker() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  /// How many he has got.
  unsigned held() const { return held_; }

 private:
  [[noreturn]] static void lock_all(const std::vector<std::string>& paths, int ready) {
    if (setgid(1000) != 0 || setuid(1000) != 0) _exit(1);
    char count = 0;
    for (const std::string& path : paths) {
      const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
      if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) ++count;
    }
    if (write(ready, &count, 1) != 1) _exit(1);
    for (;;) pause();
  }
  pid_t pid_ = -1;
  unsigned held_ = 0;
};

class AttachmentHost : public AttachmentTest {};

TEST_F(AttachmentHost, NobodyWithoutRightsHoldsAnythingUp) {
  FAULT("A1 locks");
  const Json config = full_config();
  must_add(config, pod("c2"));
  const Locker locker({"/proc/self/ns/net", pod().netns, pod("c2").netns, plugin_dir() + "/bridge",
                       plugin_dir() + "/host-local", plugin_dir(), "/run", "/run/netns", "/run/cnio", "/run/cnio/locks",
                       "/run/cnio/attachments", "/var/lib/cni", "/var/lib/cni/networks", "/var/lib/cni/networks/net",
                       "/var/lib/cni/networks/net/lock"});
  ASSERT_GE(locker.held(), 5U) << "what anybody may open";
  const Outcome added = add(config, pod());
  EXPECT_TRUE(succeeded(added));
  EXPECT_EQ(added.err, "") << "it was not held up";
  EXPECT_EQ(status(config).err, "");
  for (const char* id : {"c1", "c2"}) {
    const Outcome outcome = del(config, pod(id));
    EXPECT_TRUE(succeeded_silently(outcome));
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(AttachmentHost, ALockThatIsHeldIsAComfortOnly) {
  FAULT("A1 locks");
  must_add(layer2_config(), pod("c2"));  // makes the file
  const int fd = open("/run/cnio/locks", O_RDWR | O_CLOEXEC);
  struct flock all {};
  all.l_type = F_WRLCK;
  all.l_whence = SEEK_SET;
  ASSERT_EQ(fcntl(fd, F_OFD_SETLK, &all), 0);
  const Outcome added = add(layer2_config(), pod());
  EXPECT_TRUE(succeeded(added));
  EXPECT_NE(added.err.find("goes on without"), std::string::npos) << added.err;
  EXPECT_TRUE(succeeded_silently(del(layer2_config(), pod())));
  close(fd);
}

/// What stands where the locks are to be.
class WithoutLocks : public AttachmentTest,
                     public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Table, WithoutLocks,
                         ::testing::Values(std::pair("ReadOnly", "mount -t tmpfs -o ro x /run/cnio"),
                                           std::pair("Full",
                                                     "mount -t tmpfs -o size=4k,mode=700 x /run/cnio && "
                                                     "head -c 4096 /dev/zero >/run/cnio/ballast"),
                                           std::pair("NoInodes", "mount -t tmpfs -o nr_inodes=1,mode=700 x /run/cnio"),
                                           std::pair("PipeForLocks", "mkfifo /run/cnio/locks"),
                                           std::pair("FolderForLocks", "mkdir /run/cnio/locks"),
                                           std::pair("LinkForLocks", "ln -s /run/other /run/cnio/locks"),
                                           std::pair("FileForTheFolder", "rmdir /run/cnio && touch /run/cnio"),
                                           std::pair("OfAnotherUser", "chown 1000 /run/cnio")),
                         [](const auto& test) { return std::string(test.param.first); });

TEST_P(WithoutLocks, AllWorks) {
  FAULT("A1 locks");
  must_run({"sh", "-ec", std::string("mkdir -m 700 /run/cnio; ") + GetParam().second});
  const Json config = full_config();
  const Json result = must_add(config, pod());
  must_add(config, pod("c2"));
  EXPECT_TRUE(ping(pod().netns, "10.1.0.3"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {"c1", "c2"}))));
  EXPECT_EQ(host_ends().size(), 2U);
  EXPECT_TRUE(succeeded_silently(del(config, pod())));
  expect_nothing_of("c1", "10.1.0.2");
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {}))));
  EXPECT_TRUE(host_ends().empty());
  expect_nothing_of("c2", "10.1.0.3");
  umount2("/run/cnio", MNT_DETACH);
}

// It became so after the ADD.
TEST_F(AttachmentHost, DelAndGcWorkWhenRunHasBecomeReadOnly) {
  FAULT("B5 read-only /run");
  must_run({"sh", "-ec", "mkdir /run/cnio; mount -t tmpfs -o mode=700 x /run/cnio"});
  const Json config = full_config();
  for (const char* id : {"c1", "c2", "c3"}) must_add(config, pod(id));
  must_run({"mount", "-o", "remount,ro", "/run/cnio"});
  EXPECT_TRUE(succeeded_silently(del(config, nowhere(pod()))));
  expect_nothing_of("c1", "10.1.0.2");
  EXPECT_EQ(host_ends().size(), 2U);
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {"c3"}))));
  expect_nothing_of("c2", "10.1.0.3");
  EXPECT_EQ(link_names(pod("c3").netns), std::vector<std::string>{"eth0"});
  umount2("/run/cnio", MNT_DETACH);
}

// Nothing of the machine's root is theirs: neither /run nor what he has recorded.
class RootlessHost : public AttachmentTest, public ::testing::WithParamInterface<const char*> {
 protected:
  static Json config() {
    if (GetParam() == std::string("bridge")) return layer2_config();
    Json config = dual_ptp_config();
    config["ipMasq"] = true;
    return config;
  }
};
INSTANTIATE_TEST_SUITE_P(Of, RootlessHost, ::testing::Values("bridge", "ptp"));

TEST_P(RootlessHost, IsServed) {
  FAULT("D13 rootless");
  std::filesystem::copy(plugin_dir(), make_folder("x") + "/../plugins", std::filesystem::copy_options::recursive);
  must_add(full_config(), pod());  // /run/cnio is there, and closed
  write_file("/run/test/config", config().dump());
  const std::string script = R"sh(
mount -t tmpfs x /var/lib
[ "$1" = closed ] || mount -t tmpfs x /run -o mode=755
unshare -n sh -c 'echo ready; exec sleep 600' >/var/lib/ready &
until [ -s /var/lib/ready ]; do :; done
export CNI_CONTAINERID=c1 CNI_IFNAME=eth0 CNI_PATH=$P CNI_NETNS=/proc/$!/ns/net
for verb in ADD DEL ADD DEL DEL; do
  CNI_COMMAND=$verb "$P/$T" <"$C" || { kill $!; exit 1; }
  echo "$verb: $(ip -o link show type veth | wc -l)"
done
CNI_COMMAND=GC "$P/$T" <"$G" || { kill $!; exit 1; }
kill $!
)sh";
  write_file("/run/test/gc", with_valid_attachments(config(), {}).dump());
  write_file("/run/test/script", script);
  for (const char* run_folder : {"own", "closed"}) {
    // What /run is in the script's own namespace hides ours: all that it needs is open by then.
    Command command{.argv = {"setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "unshare", "-Urnm", "sh",
                             "-ec",
                             "mkdir -p /tmp/cnio-rootless.$$ && cp -r /run/test/plugins /run/test/config /run/test/gc "
                             "/run/test/script /tmp/cnio-rootless.$$ && cd /tmp/cnio-rootless.$$ && P=$PWD/plugins "
                             "C=$PWD/config G=$PWD/gc T=" +
                                 std::string(GetParam()) + " sh -e ./script " + run_folder +
                                 "; s=$?; rm -r /tmp/cnio-rootless.$$; exit $s"}};
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, 0) << run_folder << describe(outcome);
    std::size_t veths = 0;
    for (const char* line : {"ADD: 1\n", "DEL: 0\n"}) veths += outcome.out.find(line) != std::string::npos ? 1 : 0;
    EXPECT_EQ(veths, 2U) << describe(outcome);
  }
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"});
}

TEST_F(AttachmentHost, ThirtyAtOnceComeAndGo) {
  FAULT("A1 locks");
  const Json config = full_config();
  std::vector<Attachment> pods;
  for (int number = 0; number < 30; ++number) pods.push_back(pod("c" + std::to_string(number)));
  for (const char* verb : {"ADD", "DEL"}) {
    std::vector<Child> all;
    for (const Attachment& each : pods) all.emplace_back(plugin_command({"bridge", verb, each, config.dump()}));
    for (Child& child : all) {
      const Outcome outcome = child.wait();
      EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
      EXPECT_EQ(outcome.err, "");
    }
    EXPECT_EQ(host_ends().size(), *verb == 'A' ? 30U : 0U);
    EXPECT_EQ(records(), *verb == 'A' ? 30U : 0U);
  }
}

// Fifteen go while fifteen come: nobody takes another's.
TEST_F(AttachmentHost, ComingAndGoingAtOnce) {
  FAULT("A1 locks");
  const Json config = full_config();
  std::vector<std::string> before;
  for (int number = 0; number < 15; ++number) before.push_back("old" + std::to_string(number));
  for (const std::string& id : before) must_add(config, pod(id));
  for (int number = 0; number < 15; ++number) add_netns("new" + std::to_string(number));
  std::vector<Child> all;
  for (int number = 0; number < 15; ++number) {
    const std::string id = std::to_string(number);
    all.emplace_back(plugin_command({"bridge", "DEL", pod("old" + id), config.dump()}));
    all.emplace_back(plugin_command({"bridge", "ADD", pod("new" + id), config.dump()}));
  }
  for (Child& child : all) {
    const Outcome outcome = child.wait();
    EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  }
  EXPECT_EQ(host_ends().size(), 15U);
  EXPECT_EQ(records(), 15U);
  for (int number = 0; number < 15; ++number) {
    EXPECT_TRUE(link_names(pod("old" + std::to_string(number)).netns).empty());
    EXPECT_TRUE(ping(pod("new" + std::to_string(number)).netns, "10.1.0.1"));
  }
}

}  // namespace
}  // namespace cnio::test
