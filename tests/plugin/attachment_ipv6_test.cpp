// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What works at once when ADD has returned.
#include <sched.h>

#include "plugin/attachment_fixture.hpp"

namespace cnio::test {
namespace {

class AddInAHurry : public AttachmentTest, public ::testing::WithParamInterface<const char*> {
 protected:
  static bool is_ptp() { return GetParam() == std::string("ptp"); }
  static Json config() { return is_ptp() ? dual_ptp_config() : dual_stack_config(); }

  /// ADD, and then at once the addresses that are each side's own. The kernel makes an IPv6 address that in a work
  /// queue, which gets no time on this processor while the plugin, and who looks after it, go first and wait for
  /// nothing.
  static Json add_and_look(const Attachment& attachment) {
    Command command = plugin_command({GetParam(), "ADD", attachment, config().dump()});
    // By its path, for busybox has one of its own that comes first.
    const std::string ip = std::filesystem::exists("/usr/sbin/ip") ? "/usr/sbin/ip" : "/usr/bin/ip";
    const std::string look = " -j -6 route show table local type local >/run/";
    const std::string script =
        command.argv.at(0) + "\n" + ip + look + "host\n" + ip + " -n " + attachment.container + look + "pod";
    command.argv = {"taskset", "-c", std::to_string(sched_getcpu()), "chrt", "-f", "1", "sh", "-ec", script};
    const Outcome added = run(command);
    EXPECT_TRUE(succeeded(added));
    EXPECT_EQ(added.err, "");
    return Json::parse(added.out);
  }
  /// How many addresses that begin so are the link's own, as was seen then.
  static int64_t seen(const std::string& side, const std::string& link, const std::string& begin) {
    const Json all = Json::parse(read_file("/run/" + side));
    return std::count_if(all.begin(), all.end(), [&](const Json& route) {
      return route.at("dev") == link && route.at("dst").get<std::string>().starts_with(begin);
    });
  }
};

INSTANTIATE_TEST_SUITE_P(By, AddInAHurry, ::testing::Values("bridge", "ptp"));

TEST_P(AddInAHurry, ReturnsWhenItsIpv6AddressesAreTheKernelsOwn) {
  for (int i = 0; i < 10; ++i) {
    const Attachment attachment = pod("c" + std::to_string(i));
    const Json result = add_and_look(attachment);
    const auto host_link = result.at("interfaces").at(0).at("name").get<std::string>();
    EXPECT_EQ(seen("pod", "eth0", "fd01::"), 1);
    EXPECT_EQ(seen("host", host_link, "fd01::1"), 1);
    EXPECT_EQ(seen("host", host_link, "fe80::"), 1);  // from which the host asks for a pod to which it forwards
    must_del(config(), attachment);
    if (!is_ptp()) must_run({"ip", "link", "del", "br0"});
  }
}

}  // namespace
}  // namespace cnio::test
