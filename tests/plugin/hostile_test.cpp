// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Names that somebody chose to do harm with gain nothing: no path leaves its folder, no shell sees them, nothing
// reaches the IPAM plugin but what the protocol passes, and files are as open as the reference's.
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

const std::string kNetworks = "/var/lib/cni/networks";

/// All files of the two places where a plugin may write, but for namespaces, what the plugins keep in a folder of their
/// own and what the tests themselves keep there.
std::set<std::string> files() {
  std::set<std::string> found;
  for (const char* top : {"/run", "/var/lib"}) {
    for (auto entry = std::filesystem::recursive_directory_iterator(top); entry != decltype(entry)(); ++entry) {
      const bool ours = entry->path() == "/run/netns" || entry->path() == "/run/test" || entry->path() == "/run/cnio";
      if (ours) entry.disable_recursion_pending();
      if (entry->path() != "/run/cnio") found.insert(entry->path().string());
    }
  }
  return found;
}

/// A host with all that a name could be aimed at: files of others next to the reservations and above them, and a
/// witness in place of every shell.
class Hostile : public BridgeTest {
 protected:
  Hostile() {
    std::filesystem::create_directories(kNetworks + "/other");
    for (const char* folder : {"/var/lib", "/var/lib/cni", kNetworks.c_str(), "/var/lib/cni/networks/other", "/run"}) {
      write_file(std::string(folder) + "/10.1.0.9", "victim\r\neth0");
    }
    fake_.answer("ADD", {{"cniVersion", "1.1.0"}, {"ips", Json::array({{{"address", "10.1.0.2/24"}}})}});
  }

  /// The command with the stand-in in place of each shell, so that a call of one would be among its calls.
  Command watched(Command command) const {
    std::set<std::string> shells;
    for (const char* shell : {"/bin/sh", "/bin/bash", "/bin/dash", "/bin/busybox"}) {
      if (std::filesystem::exists(shell)) shells.insert(std::filesystem::canonical(shell).string());
    }
    for (const std::string& shell : shells) command.binds.push_back({fake_.path() + "/fake-ipam", shell});
    command.env.merge(fake_.environment());
    return command;
  }

  Outcome call(const std::string& plugin, const std::string& verb, const Json& config, const Attachment& who) const {
    return run(watched(plugin_command({plugin, verb, who, config.dump()})));
  }

  FakeIpam fake_;
};

TEST_F(Hostile, TheWitnessSeesAShell) {
  ASSERT_EQ(run(watched({.argv = {"/bin/sh", "-c", "true"}, .env = {{"CNI_COMMAND", "SHELL"}}})).exit_code, 0);
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{"SHELL"});
}

// ---- names that are no names

struct Refused {
  std::string label;
  std::string plugin;
  std::string patch;                       ///< of the configuration
  std::map<std::string, std::string> env;  ///< set over that of a good call
  int code;
  bool by_del = true;  ///< else DEL and GC go on without what the name names
};

void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.label; }

const std::vector<Refused> kRefused = {
    {"ContainerParent", "host-local", "{}", {{"CNI_CONTAINERID", ".."}}, code::kEnvironment},
    {"ContainerClimbs", "host-local", "{}", {{"CNI_CONTAINERID", "../../10.1.0.9"}}, code::kEnvironment},
    {"ContainerAbsolute", "bridge", "{}", {{"CNI_CONTAINERID", "/run/10.1.0.9"}}, code::kEnvironment},
    {"ContainerSlash", "loopback", "{}", {{"CNI_CONTAINERID", "a/b"}}, code::kEnvironment},
    {"ContainerOption", "bridge", "{}", {{"CNI_CONTAINERID", "-rf"}}, code::kEnvironment},
    {"ContainerLines", "host-local", "{}", {{"CNI_CONTAINERID", "c1\r\neth0"}}, code::kEnvironment},
    {"ContainerCommand", "bridge", "{}", {{"CNI_CONTAINERID", "c1;reboot"}}, code::kEnvironment},
    {"InterfaceParent", "bridge", "{}", {{"CNI_IFNAME", ".."}}, code::kEnvironment},
    {"InterfacePath", "bridge", "{}", {{"CNI_IFNAME", "../all"}}, code::kEnvironment},
    {"InterfaceLines", "host-local", "{}", {{"CNI_IFNAME", "e0\r\nc2"}}, code::kEnvironment},
    {"NetworkParent", "host-local", R"({"name": ".."})", {}, code::kConfig},
    {"NetworkItself", "host-local", R"({"name": "."})", {}, code::kConfig},
    {"NetworkClimbs", "host-local", R"({"name": "../../../run"})", {}, code::kConfig},
    {"NetworkAbsolute", "host-local", R"({"name": "/run"})", {}, code::kConfig},
    {"NetworkNul", "host-local", R"({"name": "other\u0000x"})", {}, code::kConfig},
    {"NetworkOfBridge", "bridge", R"({"name": "../other"})", {}, code::kConfig},
    {"FolderNul", "host-local", R"({"ipam": {"dataDir": "/run\u0000/x"}})", {}, code::kConfig, false},
    {"BridgePath", "bridge", R"({"bridge": "../lo"})", {}, code::kConfig, false},
    {"BridgeOfAllSettings", "bridge", R"({"bridge": "all"})", {}, code::kConfig, false},
    {"PrefixPath", "bridge", R"({"hostIfPrefix": "../"})", {}, code::kConfig, false},
};

class HostileNames : public Hostile, public ::testing::WithParamInterface<Refused> {};

INSTANTIATE_TEST_SUITE_P(Table, HostileNames, ::testing::ValuesIn(kRefused),
                         [](const auto& test) { return test.param.label; });

TEST_P(HostileNames, AreRefusedByEachVerb) {
  Json config = GetParam().plugin == "bridge" ? bridge_config() : minimal_config(GetParam().plugin);
  config.merge_patch(Json::parse(GetParam().patch));
  config = with_valid_attachments(config, {});
  config["prevResult"] = {{"cniVersion", "1.1.0"}, {"ips", Json::array()}};
  const Attachment who = pod();
  const Snapshot before = Snapshot::of_host();
  const std::set<std::string> files_before = files();
  const Snapshot sandbox = Snapshot::of(who.netns);
  for (const std::string verb : {"ADD", "CHECK", "DEL", "STATUS", "GC"}) {
    if (!GetParam().env.empty() && (verb == "STATUS" || verb == "GC")) continue;  // they are about no attachment
    Command command = watched(plugin_command({GetParam().plugin, verb, who, config.dump()}));
    for (const auto& [name, value] : GetParam().env) command.env[name] = value;
    const bool removes = verb == "DEL" || verb == "GC";
    EXPECT_TRUE(removes && !GetParam().by_del ? succeeded_silently(run(command))
                                              : failed(run(command), GetParam().code))
        << verb;
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_EQ(files(), files_before);
  EXPECT_TRUE(same(sandbox, Snapshot::of(who.netns)));
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{});
}

// ---- names that only look dangerous

class HostileInterfaces : public Hostile, public ::testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Table, HostileInterfaces,
                         ::testing::Values(";reboot;", "$(reboot)", "`reboot`", "-h", "--help", "'\"\\", "*", "a|b&c",
                                           "{{.ID}}", "$IFS$PATH", "#", "!", "@x", "-j", "\xc3\xa9th0"),
                         [](const auto& test) { return "Number" + std::to_string(test.index); });

TEST_P(HostileInterfaces, AreNamesAndNothingElse) {
  for (const char* backend : {"nftables", "iptables"}) {
    Json config = bridge_config();
    config["ipMasq"] = true;
    config["ipMasqBackend"] = backend;
    config["macspoofchk"] = true;
    const Attachment who = pod("c1", GetParam());
    const Snapshot sandbox = Snapshot::of(who.netns);
    const Outcome added = call("bridge", "ADD", config, who);
    ASSERT_TRUE(succeeded(added)) << backend;
    const Json result = Json::parse(added.out);
    EXPECT_EQ(result.at("interfaces").at(2).at("name"), GetParam());
    EXPECT_EQ(link_names(who.netns), std::vector<std::string>{GetParam()});
    EXPECT_TRUE(succeeded_silently(call("bridge", "CHECK", with_prev_result(config, result), who))) << backend;
    EXPECT_TRUE(succeeded_silently(call("bridge", "DEL", with_prev_result(config, result), who))) << backend;
    EXPECT_TRUE(same(sandbox, Snapshot::of(who.netns)));
    EXPECT_EQ(names_on_bridge(), std::vector<std::string>{});
    EXPECT_EQ(nft_objects_with("c1"), std::vector<std::string>{});
  }
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{}) << "a shell was called";
}

TEST_F(Hostile, SandboxPathsAreNoCommands) {
  for (const std::string name : {"$(reboot)", ";reboot;", "a b", "-h", "'\"", "..."}) {
    const Attachment who = {"c1", add_netns(name), "eth0", ""};
    const Outcome added = call("bridge", "ADD", bridge_config(), who);
    ASSERT_TRUE(succeeded(added)) << name;
    EXPECT_EQ(Json::parse(added.out).at("interfaces").at(2).at("sandbox"), who.netns);
    EXPECT_TRUE(succeeded_silently(call("bridge", "DEL", bridge_config(), who))) << name;
    delete_netns(name);
  }
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{}) << "a shell was called";
}

// ---- CNI_NETNS that is something else

TEST_F(Hostile, SandboxesOfOtherKindsAreRefusedAtOnce) {
  const std::string folder = make_folder("kinds");
  ASSERT_EQ(mkfifo((folder + "/pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink("circle", folder + "/circle");
  write_file(folder + "/file", "");
  const Snapshot before = Snapshot::of_host();
  const std::set<std::string> files_before = files();
  for (const std::string& path : {folder + "/pipe", folder + "/circle", folder + "/file", folder,
                                  std::string("/dev/zero"), std::string("/dev/tty"), std::string("/proc/self/ns/mnt"),
                                  std::string(5000, '/'), std::string("relative"), folder + "/file/x"}) {
    const Attachment who = {"c1", path, "eth0", ""};
    EXPECT_TRUE(failed(call("bridge", "ADD", bridge_config(), who), code::kEnvironment)) << path;
    EXPECT_TRUE(succeeded_silently(call("bridge", "DEL", bridge_config(), who))) << path;
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_EQ(files(), files_before);
}

// ---- dataDir

TEST_F(Hostile, ReservationsStayInTheNetworksFolder) {
  struct Case {
    std::string data_dir;
    std::string folder;  ///< where the network's folder is
  };
  std::filesystem::create_directories("/run/work/deep");
  std::filesystem::create_symlink("/run/work/deep", "/run/link");
  const std::vector<Case> cases = {{"relative", "/run/work/relative"},
                                   {"../up", "/run/up"},
                                   {"/run/work/../side", "/run/side"},
                                   {"/run//work///many", "/run/work/many"},
                                   {"/run/link/within", "/run/work/deep/within"},
                                   {"/run/$(reboot)", "/run/$(reboot)"},
                                   {"/run/a b\n", "/run/a b\n"}};
  for (const Case& each : cases) {
    Json config = host_local_config();
    config["ipam"]["dataDir"] = each.data_dir;
    const Snapshot before = Snapshot::of_host();
    const std::set<std::string> files_before = files();
    for (const char* verb : {"ADD", "DEL"}) {
      Command command = watched(plugin_command({"host-local", verb, pod(), config.dump()}));
      command.cwd = "/run/work";
      const Outcome outcome = run(command);
      ASSERT_TRUE(succeeded(outcome)) << each.data_dir;
      const bool held = std::filesystem::exists(each.folder + "/store/10.1.0.2");
      EXPECT_EQ(held, std::string(verb) == "ADD") << each.data_dir;
    }
    EXPECT_TRUE(same(before, Snapshot::of_host())) << each.data_dir;
    for (const std::string& file : files()) {
      const bool expected = file.starts_with(each.folder + "/") || each.folder == file || files_before.contains(file);
      EXPECT_TRUE(expected || each.folder.starts_with(file + "/")) << file;
    }
  }
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{}) << "a shell was called";
}

TEST_F(Hostile, PathsInMessagesStayOnOneLine) {
  Json config = host_local_config();
  config["ipam"]["dataDir"] = "/dev/null/a\nb";
  for (const char* verb : {"ADD", "STATUS"}) {
    EXPECT_TRUE(failed(call("host-local", verb, config, pod()),
                       verb == std::string("ADD") ? code::kIo : code::kUnavailable, {"a\\x0ab"}));
  }
}

// What a list of valid attachments names is compared, never opened.
TEST_F(Hostile, ValidAttachmentsAreNoPaths) {
  const Attachment who = pod();
  must_add(bridge_config(), who);
  const Snapshot before = Snapshot::of_host();
  const std::set<std::string> files_before = files();
  const Json config = with_valid_attachments(
      bridge_config(),
      {{"../../10.1.0.9", "../x"}, {"$(reboot)", ";"}, {"c1", "eth0"}, {std::string(9000, 'x'), "\n"}});
  EXPECT_TRUE(succeeded_silently(call("bridge", "GC", config, who)));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_EQ(files(), files_before);
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{}) << "a shell was called";
}

// ---- the delegate

TEST_F(Hostile, DelegatesAreNamesWithinCniPath) {
  const std::string outside = make_folder("outside");
  std::filesystem::create_directories(outside + "/within");
  std::filesystem::copy_file(fake_ipam_program(), outside + "/fake-ipam");
  const Attachment who = pod();
  const Snapshot before = Snapshot::of_host();
  const std::set<std::string> files_before = files();
  for (const std::string type : {"../fake-ipam", "./fake-ipam", "/bin/true", "..", ".", "within/../../fake-ipam",
                                 "fake-ipam -x", "$(reboot)", "fake-ipam;reboot", "fake-ipam\n", "FAKE-IPAM"}) {
    Json config = layer2_config();
    config["ipam"]["type"] = type;
    for (const char* verb : {"ADD", "DEL", "STATUS"}) {
      Command command = watched(plugin_command({"bridge", verb, who, config.dump()}));
      command.env["CNI_PATH"] = outside + "/within:" + fake_.path();
      const Outcome outcome = run(command);
      EXPECT_NE(outcome.exit_code, 0) << verb << ": " << type;
      EXPECT_TRUE(Json::accept(outcome.out)) << outcome.out;
    }
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_EQ(files(), files_before);
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{});
}

TEST_F(Hostile, CniPathIsAListOfFolders) {
  const Attachment who = pod();
  const Snapshot before = Snapshot::of_host();
  const std::set<std::string> files_before = files();
  for (const std::string& path :
       {std::string("/run/10.1.0.9"), std::string("$(echo " + fake_.path() + ")"),
        std::string(fake_.path() + "/fake-ipam"), std::string(":::"), std::string("~"),
        std::string(fake_.path() + "\n"), std::string(70000, ':'), std::string("/dev/zero")}) {
    Command command = watched(plugin_command({"bridge", "ADD", who, fake_config().dump()}));
    command.env["CNI_PATH"] = path;
    EXPECT_TRUE(failed(run(command), code::kIpam)) << path.substr(0, 200);
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_EQ(files(), files_before);
  EXPECT_EQ(fake_.commands(), std::vector<std::string>{});
}

TEST_F(Hostile, TheDelegateGetsItsStreamsAndNothingElse) {
  // Descriptors that a careless runtime leaves open for the plugin.
  const int left_open = open("/run/10.1.0.9", O_RDWR);
  ASSERT_GE(left_open, 3);
  const int high = fcntl(left_open, F_DUPFD, 200);
  const Attachment who = pod();
  for (const char* verb : {"ADD", "DEL"}) {
    Command command = with_fake(fake_, verb, fake_config(), who);
    command.env["SECRET"] = "x";
    ASSERT_TRUE(succeeded(run(watched(command))));
    const FakeCall seen = fake_.calls().back();
    EXPECT_EQ(seen.env, command.env) << verb;
    std::set<int> numbers;
    for (const auto& [number, target] : seen.descriptors) numbers.insert(number);
    EXPECT_EQ(numbers, (std::set<int>{0, 1, 2})) << Json(seen.descriptors).dump();
  }
  close(high);
  close(left_open);
}

// ---- modes

std::map<std::string, unsigned> modes_below(const std::string& folder) {
  std::map<std::string, unsigned> modes;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    struct stat info {};
    if (lstat(entry.path().c_str(), &info) != 0) throw std::runtime_error("stat " + entry.path().string());
    modes[entry.path().lexically_relative(folder).string()] = info.st_mode;
  }
  return modes;
}

// Those of the reference 1.9.1, whatever the caller's umask allows.
TEST_F(Hostile, FilesAreAsOpenAsTheReferences) {
  PARITY("T82");
  const std::map<std::string, unsigned> expected = {{"deep", S_IFDIR | 0755U},
                                                    {"deep/networks", S_IFDIR | 0755U},
                                                    {"deep/networks/store", S_IFDIR | 0755U},
                                                    {"deep/networks/store/10.1.0.2", S_IFREG | 0600U},
                                                    {"deep/networks/store/last_reserved_ip.0", S_IFREG | 0600U},
                                                    {"deep/networks/store/lock", S_IFREG | 0750U}};
  for (const mode_t mask : {mode_t{0}, mode_t{022}}) {
    const std::string folder = make_folder("store" + std::to_string(mask));
    Json config = host_local_config({"10.1.0.0/24"}, "1.0.0");
    config["ipam"]["dataDir"] = folder + "/deep/networks";
    const mode_t before = umask(mask);
    const Outcome outcome = run(plugin_command({"host-local", "ADD", pod(), config.dump()}));
    umask(before);
    EXPECT_TRUE(succeeded(outcome));
    EXPECT_EQ(modes_below(folder), expected) << "umask " << std::oct << mask;
  }
}

}  // namespace
}  // namespace cnio::test
