// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// flannel is not among the reference's packages, so its part is played here by what it does beside its delegate: ADD
// writes the delegate's configuration into a file called after the container, and DEL hands that file on and removes
// it. Bridge and host-local are the reference's own.
#include "plugin/flannel_fixture.hpp"
#include "support/twin.hpp"

namespace cnio::test {
namespace {

class FlannelSwap : public FlannelTest {
 protected:
  FlannelSwap() { std::filesystem::create_directories("/var/lib/cni/flannel"); }

  static Json old_config() { return config("cbr0", "1.0.0"); }
  static Json old_told() {
    Json told_then = told();
    told_then["cniVersion"] = "1.0.0";
    return told_then;
  }
  static void added_by_reference(const Attachment& attachment) {
    write_file("/var/lib/cni/flannel/" + attachment.container, old_told().dump());
    const Outcome outcome = by_reference("ADD", old_told(), attachment);
    ASSERT_TRUE(succeeded(outcome));
  }
  static void deleted_by_reference(const Attachment& attachment) {
    const std::string record = "/var/lib/cni/flannel/" + attachment.container;
    Command command = plugin_command({"bridge", "DEL", attachment, read_file(record)});
    command.argv = {reference_dir() + "/bridge"};
    command.env["CNI_PATH"] = reference_dir();
    EXPECT_TRUE(succeeded(run(command)));
    std::filesystem::remove(record);
  }
};

TEST_F(FlannelSwap, MadeByTheReferenceGoneByOurs) {
  PARITY("T-F42 T-F38");
  added_by_reference(pod());
  must_del(old_config(), pod());
  EXPECT_TRUE(is_clean());
  must_del(old_config(), pod());
}

TEST_F(FlannelSwap, MadeByOursGoneByTheReference) {
  PARITY("T-F42 T-F38");
  must_add(old_config(), pod());
  deleted_by_reference(pod());
  EXPECT_TRUE(is_clean());
}

TEST_F(FlannelSwap, OfTwoInterfacesEachFindsItsOwn) {
  PARITY("T-F41 T-F42 F27");
  added_by_reference(pod());
  must_add(old_config(), pod("c1", "net1"));
  must_del(old_config(), pod("c1", "net1"));
  EXPECT_EQ(link_names(pod().netns), (std::vector<std::string>{"eth0"}));
  must_del(old_config(), pod());
  EXPECT_TRUE(is_clean());
}

TEST_F(FlannelSwap, StaleOnesOfTheReferenceAreCollected) {
  PARITY("T-F45 T-F42");
  added_by_reference(pod());
  must_run({"ip", "netns", "del", "c1"});
  EXPECT_TRUE(happens([] { return names_on_bridge("cni0").empty(); }));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config(), {{"c2", "eth0"}}))));
  EXPECT_TRUE(is_clean());
}

}  // namespace
}  // namespace cnio::test
