// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Reservations whose containers are gone: with the boot they ran in, or with the namespace they were made for.
#include <array>
#include <csignal>
#include <fstream>
#include <set>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

const std::string kBootId = "/proc/sys/kernel/random/boot_id";

class AfterReboot : public HostTest {
 protected:
  AfterReboot() {
    for (const char* boot : {"first", "second"}) write_file(boot_file(boot), std::string(boot) + "-boot\n");
  }

  /// A call in the given boot of the machine.
  static Command call_in(const std::string& boot, const std::string& verb, const Json& config,
                         const Attachment& attachment = {"", "", "", ""}) {
    Command command = plugin_command({"host-local", verb, attachment, config.dump()});
    command.binds = {{boot_file(boot), kBootId}};
    return command;
  }
  static Outcome run_in(const std::string& boot, const std::string& verb, const Json& config,
                        const Attachment& attachment = {"", "", "", ""}) {
    return run(call_in(boot, verb, config, attachment));
  }
  static std::string added_in(const std::string& boot, const Json& config, const Attachment& attachment) {
    const Outcome outcome = run_in(boot, "ADD", config, attachment);
    EXPECT_TRUE(succeeded(outcome));
    return outcome.exit_code == 0 ? addresses_of(Json::parse(outcome.out)).at(0) : "";
  }
  static Outcome run_reference(const std::string& verb, const Json& config, const Attachment& attachment) {
    Command command = plugin_command({"host-local", verb, attachment, config.dump()});
    command.argv = {reference_dir() + "/host-local"};
    return run(command);
  }
  /// Five addresses.
  static Json small_range(const std::string& version = "1.1.0") { return host_local_config({"10.1.0.0/29"}, version); }
  static void fill_in(const std::string& boot, const Json& config) {
    for (const char* id : {"c2", "c3", "c4", "c5", "c6"}) added_in(boot, config, pod(id));
  }

  static std::string boot_file(const std::string& boot) { return "/run/test/boot/" + boot; }
};

TEST_F(AfterReboot, AFullRangeGivesUpWhatDeadContainersHeld) {
  const Json config = small_range();
  fill_in("first", config);
  EXPECT_TRUE(failed(run_in("first", "ADD", config, pod("late")), code::kNoAddress, {"5 of 5 reserved"}));
  EXPECT_TRUE(failed(run_in("first", "STATUS", config), code::kUnavailable, {"5 of 5 reserved"}));
  EXPECT_TRUE(succeeded_silently(run_in("second", "STATUS", config)));
  EXPECT_TRUE(reserved("10.1.0.2")) << "STATUS changes nothing";
  const Outcome outcome = run_in("second", "ADD", config, pod("new"));
  ASSERT_TRUE(succeeded(outcome));
  EXPECT_EQ(addresses_of(Json::parse(outcome.out)).at(0), "10.1.0.2/29") << "round robin goes on";
  EXPECT_NE(outcome.err.find("released 5 addresses"), std::string::npos) << outcome.err;
  EXPECT_EQ(read_file(kStore + "/10.1.0.2"), "new\r\neth0");
  for (const char* rest : {"10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"}) EXPECT_FALSE(reserved(rest)) << rest;
}

TEST_F(AfterReboot, NothingIsGivenUpWhileAddressesAreFree) {
  const Json config = small_range();
  for (const char* id : {"c2", "c3", "c4", "c5"}) added_in("first", config, pod(id));
  EXPECT_EQ(added_in("second", config, pod("new")), "10.1.0.6/29");
  for (const char* address : {"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"}) EXPECT_TRUE(reserved(address));
}

TEST_F(AfterReboot, TheLivingKeepTheirAddresses) {
  const Json config = small_range();
  for (const char* id : {"c2", "c3"}) added_in("first", config, pod(id));
  for (const char* id : {"c4", "c5", "c6"}) added_in("second", config, pod(id));
  for (const char* id : {"new2", "new3"}) added_in("second", config, pod(id));
  for (const char* number : {"4", "5", "6"}) {
    EXPECT_EQ(read_file(kStore + "/10.1.0." + number), "c" + std::string(number) + "\r\neth0");
  }
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("late")), code::kNoAddress, {"5 of 5 reserved"}));
}

TEST_F(AfterReboot, NothingIsGivenUpIfThatIsSwitchedOff) {
  Json config = small_range();
  fill_in("first", config);
  config["ipam"]["reclaim"] = "never";
  const Snapshot before = Snapshot::of_host();
  const std::vector<std::string> words{"5 of 5 reserved", "5 of before the last boot", "\"ipam.reclaim\""};
  EXPECT_TRUE(failed(run_in("second", "STATUS", config), code::kUnavailable, words));
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("new")), code::kNoAddress, words));
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("new", "eth0", "IP=10.1.0.4")), code::kNoAddress, {"c4"}));
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("c4")), code::kInTheWay, {"10.1.0.4"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(AfterReboot, ARequestedAddressOfADeadContainerIsGiven) {
  const Json config = small_range();
  for (const char* id : {"c2", "c3"}) added_in("first", config, pod(id));
  EXPECT_TRUE(failed(run_in("first", "ADD", config, pod("new", "eth0", "IP=10.1.0.3")), code::kNoAddress, {"c3/eth0"}));
  EXPECT_EQ(added_in("second", config, pod("new", "eth0", "IP=10.1.0.3")), "10.1.0.3/29");
  EXPECT_EQ(read_file(kStore + "/10.1.0.3"), "new\r\neth0");
  EXPECT_TRUE(reserved("10.1.0.2")) << "was not in the way";
}

TEST_F(AfterReboot, AContainerThatStartsAgainKeepsItsAddresses) {
  const Json config = host_local_config({"10.1.0.0/29", "fd01::/64"});
  added_in("first", config, pod("other"));
  added_in("first", config, pod("c1"));
  const Outcome again = run_in("second", "ADD", config, pod("c1"));
  ASSERT_TRUE(succeeded(again));
  EXPECT_EQ(addresses_of(Json::parse(again.out)), (std::vector<std::string>{"10.1.0.3/29", "fd01::3/64"}));
  EXPECT_NE(again.err.find("c1/eth0 keeps 10.1.0.3"), std::string::npos) << again.err;
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("c1")), code::kInTheWay, {"10.1.0.3"})) << "it lives now";
  EXPECT_TRUE(succeeded_silently(run_in("second", "DEL", config, pod("c1"))));
  EXPECT_FALSE(reserved("10.1.0.3"));
  EXPECT_FALSE(reserved("fd01::3"));
}

TEST_F(AfterReboot, AnAnswerThatIsLostTakesTheKeptAddressBackToo) {
  const Json config = small_range();
  added_in("first", config, pod("c1"));
  Command command = call_in("second", "ADD", config, pod("c1"));
  command.stdout_path = "/dev/full";
  EXPECT_NE(run(command).exit_code, 0);
  EXPECT_FALSE(reserved("10.1.0.2"));
}

TEST_F(AfterReboot, WhatOthersReservedCountsAsAlive) {
  const Json config = small_range("1.0.0");
  for (const char* id : {"c2", "c3"}) ASSERT_TRUE(succeeded(run_reference("ADD", config, pod(id))));
  write_file(kStore + "/10.1.0.4", "old-format");
  for (const char* id : {"c5", "c6"}) added_in("first", config, pod(id));
  // A copy, as a backup makes it, does not know any more where it was made.
  std::filesystem::copy_file(kStore + "/10.1.0.5", kStore + "/copy");
  std::filesystem::rename(kStore + "/copy", kStore + "/10.1.0.5");
  EXPECT_EQ(added_in("second", config, pod("new")), "10.1.0.6/29");
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("late")), code::kNoAddress));
  for (const char* address : {"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"}) EXPECT_TRUE(reserved(address));
}

TEST_F(AfterReboot, WhatTheReferenceReservedAgainCountsAsAlive) {
  const Json config = small_range("1.0.0");
  fill_in("first", config);
  // Same container, same address, but of this boot; its writer does not say so.
  for (const char* number : {"2", "3", "4", "5", "6"}) {
    const std::string id = "c" + std::string(number);
    ASSERT_TRUE(succeeded(run_reference("DEL", config, pod(id))));
    ASSERT_TRUE(succeeded(run_reference("ADD", config, pod(id, "eth0", "IP=10.1.0." + std::string(number)))));
  }
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("late")), code::kNoAddress, {"5 of 5 reserved"}));
}

TEST_F(AfterReboot, WhatAnotherMachineReservedCountsAsAlive) {
  const Json config = small_range();
  for (const char* id : {"c2", "c3", "c4", "c5", "c6"}) {
    Command command = call_in("first", "ADD", config, pod(id));
    command.argv = {
        "unshare",         "--uts", "sh", "-c", "echo another-machine >/proc/sys/kernel/hostname && exec \"$0\"",
        command.argv.at(0)};
    ASSERT_TRUE(succeeded(run(command)));
  }
  EXPECT_TRUE(failed(run_in("second", "ADD", config, pod("late")), code::kNoAddress, {"5 of 5 reserved"}));
}

TEST_F(AfterReboot, WithoutABootIdNothingIsRecordedOrGivenUp) {
  write_file(boot_file("unknown"), "");
  const Json config = small_range();
  fill_in("first", config);
  EXPECT_TRUE(failed(run_in("unknown", "ADD", config, pod("late")), code::kNoAddress));
  EXPECT_TRUE(succeeded_silently(run_in("unknown", "DEL", config, pod("c3"))));
  EXPECT_EQ(added_in("unknown", config, pod("new")), "10.1.0.3/29");
  added_in("second", config, pod("newer"));
  EXPECT_EQ(read_file(kStore + "/10.1.0.3"), "new\r\neth0") << "nobody knows when it was made";
}

TEST_F(AfterReboot, GcKeepsWhatIsValidAndFreesWhatTheCrashDamaged) {
  const Json config = small_range();
  for (const char* id : {"c2", "c3", "c4"}) added_in("first", config, pod(id));
  // In place: it is the same file, of which a power failure left blocks of others.
  std::ofstream(kStore + "/10.1.0.3", std::ios::in | std::ios::binary) << "\x7f"
                                                                          "ELF \x01\x02";
  write_file(kStore + "/10.1.0.5", "the printer");
  const Json valid = with_valid_attachments(config, {{"c2", "eth0"}});
  const Outcome first = run_in("first", "GC", valid);
  EXPECT_TRUE(succeeded_silently(first));
  EXPECT_TRUE(reserved("10.1.0.3")) << "it may be alive";
  EXPECT_NE(first.err.find(kStore + "/10.1.0.3 left alone"), std::string::npos) << first.err;
  const Outcome second = run_in("second", "GC", valid);
  EXPECT_TRUE(succeeded_silently(second));
  EXPECT_TRUE(reserved("10.1.0.2")) << "the runtime says that it is valid";
  EXPECT_FALSE(reserved("10.1.0.3"));
  EXPECT_FALSE(reserved("10.1.0.4"));
  EXPECT_EQ(read_file(kStore + "/10.1.0.5"), "the printer");
  EXPECT_NE(second.err.find(kStore + "/10.1.0.5 left alone"), std::string::npos) << second.err;
}

/// A process that stays in a network namespace of its own.
class Dweller {
 public:
  Dweller() {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      if (::unshare(CLONE_NEWNET) != 0 || ::write(ready[1], "x", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) throw std::runtime_error("no namespace");
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Dweller() { leave(); }
  Dweller(const Dweller&) = delete;
  Dweller& operator=(const Dweller&) = delete;

  std::string netns() const { return "/proc/" + std::to_string(pid_) + "/ns/net"; }
  void leave() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

class StartedAgain : public HostTest {
 protected:
  static Attachment in(const std::string& netns, const std::string& args = "") { return {"c1", netns, "eth0", args}; }

  const Json config_ = host_local_config();
};

TEST_F(StartedAgain, WhileTheNamespaceIsThereTheAttachmentLives) {
  must_add(config_, in(add_netns("a")));
  const Snapshot before = Snapshot::of_host();
  for (const std::string& netns : {std::string("/run/netns/a"), add_netns("b")}) {
    EXPECT_TRUE(failed(add(config_, in(netns)), code::kInTheWay, {"c1/eth0", "10.1.0.2", "/run/netns/a"})) << netns;
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(StartedAgain, TheAddressIsKeptWhenTheNamespaceIsGone) {
  must_add(config_, in(add_netns("a")));
  must_add(config_, pod("other"));
  delete_netns("a");
  EXPECT_EQ(first_address(config_, in(add_netns("b"))), "10.1.0.2/24");
  EXPECT_TRUE(failed(add(config_, in(add_netns("c"))), code::kInTheWay, {"/run/netns/b"})) << "it lives there now";
  must_del(config_, in(""));
  EXPECT_FALSE(reserved("10.1.0.2"));
  EXPECT_TRUE(reserved("10.1.0.3"));
}

// The kernel gives the new namespace the number of the former one.
TEST_F(StartedAgain, TheAddressIsKeptWhenAnotherNamespaceHasTheName) {
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(first_address(config_, in(add_netns("a"))), "10.1.0.2/24") << turn;
    delete_netns("a");
  }
}

TEST_F(StartedAgain, ANamespaceKnownByAProcessLivesWithIt) {
  Dweller dweller;
  must_add(config_, in(dweller.netns()));
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_TRUE(failed(add(config_, in(dweller.netns())), code::kInTheWay, {dweller.netns()}));
  }
  const std::string next = add_netns("b");
  EXPECT_TRUE(failed(add(config_, in(next)), code::kInTheWay, {dweller.netns()}));
  dweller.leave();
  EXPECT_EQ(first_address(config_, in(next)), "10.1.0.2/24");
}

TEST_F(StartedAgain, WhatIsNotKnownCountsAsAlive) {
  write_file("/run/netns/file", "");
  for (const char* path : {"/run/netns/none", "/run/netns/file", "netns/none"}) {
    must_add(config_, in(path));
    EXPECT_TRUE(failed(add(config_, in(add_netns("b"))), code::kInTheWay)) << path;
    must_del(config_, in(path));
    delete_netns("b");
  }
  write_file(kStore + "/10.1.0.9", "c1\r\neth0");
  EXPECT_TRUE(failed(add(config_, in(add_netns("b"))), code::kInTheWay, {"10.1.0.9"})) << "of another writer";
}

TEST_F(StartedAgain, WhoCannotSeeNamespacesCannotJudge) {
  must_add(config_, in(add_netns("a")));
  delete_netns("a");
  EXPECT_TRUE(failed(add(config_, in("/run/netns/b")), code::kInTheWay, {"/run/netns/a"}));
}

TEST_F(StartedAgain, AnotherAddressNeedsADelFirst) {
  must_add(config_, in(add_netns("a")));
  delete_netns("a");
  const std::string next = add_netns("b");
  EXPECT_TRUE(failed(add(config_, in(next, "IP=10.1.0.77")), code::kInTheWay, {"10.1.0.2"}));
  EXPECT_EQ(first_address(config_, in(next, "IP=10.1.0.2")), "10.1.0.2/24");
}

TEST_F(StartedAgain, ASetThatIsNewGetsAnAddressToo) {
  must_add(config_, in(add_netns("a")));
  delete_netns("a");
  EXPECT_EQ(addresses_of(must_add(host_local_config({"fd01::/64", "10.1.0.0/24"}), in(add_netns("b")))),
            (std::vector<std::string>{"fd01::2/64", "10.1.0.2/24"}));
}

TEST_F(StartedAgain, AFullSetLeavesTheReservationOfTheOtherAlone) {
  must_add(config_, in(add_netns("a")));
  delete_netns("a");
  must_add(host_local_config({"10.2.0.0/30"}), pod("other"));
  const std::string next = add_netns("b");
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(host_local_config({"10.1.0.0/24", "10.2.0.0/30"}), in(next)), code::kNoAddress));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_EQ(first_address(config_, in(next)), "10.1.0.2/24") << "it may still be continued";
}

// In a user namespace, where the kernel permits no attribute of the class "trusted".
class StartedAgainRootless : public StartedAgain {
 protected:
  StartedAgainRootless() { config_["ipam"]["dataDir"] = make_folder("store"); }

  Outcome run_rootless(const std::string& verb, const Attachment& attachment) const {
    Command command = plugin_command({"host-local", verb, attachment, config_.dump()});
    command.argv.insert(command.argv.begin(), {"unshare", "--map-root-user"});
    return run(command);
  }
  std::string attribute(const std::string& name) const {
    std::array<char, 1000> text{};
    const ssize_t size = ::getxattr("/run/test/store/store/10.1.0.2", name.c_str(), text.data(), text.size());
    return size < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
  }

  Json config_ = host_local_config();
};

TEST_F(StartedAgainRootless, TheAddressIsKeptWhenTheNamespaceIsGone) {
  FAULT("D13 rootless");
  ASSERT_TRUE(succeeded(run_rootless("ADD", in(add_netns("a")))));
  EXPECT_EQ(attribute("trusted.cnio"), "");
  EXPECT_NE(attribute("user.cnio").find("/run/netns/a"), std::string::npos);
  EXPECT_TRUE(failed(run_rootless("ADD", in(add_netns("b"))), code::kInTheWay, {"10.1.0.2", "/run/netns/a"}));
  delete_netns("a");
  const Outcome again = run_rootless("ADD", in("/run/netns/b"));
  ASSERT_TRUE(succeeded(again));
  EXPECT_EQ(addresses_of(Json::parse(again.out)).at(0), "10.1.0.2/24");
  EXPECT_TRUE(failed(run_rootless("ADD", in(add_netns("c"))), code::kInTheWay, {"/run/netns/b"})) << "it lives there";
  EXPECT_TRUE(succeeded_silently(run_rootless("DEL", in(""))));
}

// Whoever can write the file can write that attribute, and would get the address of a living pod.
TEST_F(StartedAgainRootless, WhatAnybodyCanWriteIsNotBelievedOutsideOfUserNamespaces) {
  FAULT("D13 forged");
  ASSERT_TRUE(succeeded(run_rootless("ADD", in(add_netns("a")))));
  const std::string next = add_netns("b");
  delete_netns("a");
  EXPECT_TRUE(failed(add(config_, in(next)), code::kInTheWay, {"10.1.0.2"}));
}

TEST_F(StartedAgainRootless, WhatRootRecordedIsNotForgedByWhatAnybodyCanWrite) {
  FAULT("D13 forged");
  must_add(config_, in(add_netns("a")));
  std::string forged = attribute("trusted.cnio");
  ASSERT_NE(forged.find("/run/netns/a"), std::string::npos);
  forged.replace(forged.find("/run/netns/a"), 12, "/run/netns/x");
  ASSERT_EQ(::setxattr("/run/test/store/store/10.1.0.2", "user.cnio", forged.data(), forged.size(), 0), 0);
  EXPECT_TRUE(failed(add(config_, in(add_netns("b"))), code::kInTheWay, {"10.1.0.2", "/run/netns/a"}));
}

// Whoever comes first has the only address; DEL never waits for more than the lock, and never takes the next one's.
TEST_F(HostTest, DelWhileTheNextContainerIsBeingAdded) {
  const Json config = host_local_config({"10.1.0.0/30"});
  must_add(config, pod("c0"));
  std::string holder = "c0";
  for (int turn = 1; turn <= 30; ++turn) {
    const std::string next = "c" + std::to_string(turn);
    Child adding(plugin_command({"host-local", "ADD", pod(next), config.dump()}));
    Child deleting(plugin_command({"host-local", "DEL", {holder, "", "eth0", ""}, config.dump()}));
    const Outcome added = adding.wait();
    ASSERT_TRUE(succeeded_silently(deleting.wait()));
    if (added.exit_code != 0) {
      ASSERT_TRUE(failed(added, code::kNoAddress));
      ASSERT_FALSE(reserved("10.1.0.2"));
      must_add(config, pod(next));
    }
    ASSERT_EQ(read_file(kStore + "/10.1.0.2"), next + "\r\neth0");
    holder = next;
  }
}

}  // namespace
}  // namespace cnio::test
