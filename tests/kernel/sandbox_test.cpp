// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/sandbox.hpp"

#include "cnio/net/link/bridge.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using ::testing::ElementsAre;

class SandboxTest : public test::NetTest {};

TEST_F(SandboxTest, ItsSocketActsInside) {
  const std::string path = test::add_netns("pod");
  ip("link add in-pod type bridge", path);
  auto sandbox = Sandbox::open(path);
  ASSERT_OK(sandbox);
  const auto lo = find_link(sandbox.value().route(), "lo");
  ASSERT_OK(lo);
  EXPECT_FALSE(lo.value()->up);  // the host's is up
  EXPECT_TRUE(find_link(sandbox.value().route(), "in-pod").value());
  ASSERT_OK(create_bridge(sandbox.value().route(), {.name = "second", .mtu = 0, .mac = MacAddr::random()}));
  EXPECT_THAT(test::link_names(path), ElementsAre("in-pod", "second"));
  EXPECT_TRUE(test::link_names().empty());
}

TEST_F(SandboxTest, RunsWorkInside) {
  auto sandbox = Sandbox::open(test::add_netns("pod"));
  ASSERT_OK(sandbox);
  for (int time = 0; time < 2; ++time) {
    EXPECT_OK(sandbox.value().run([&]() -> Status {
      EXPECT_TRUE(Namespace::current().value().same_as(sandbox.value().netns()));
      return {};
    }));
    EXPECT_FALSE(Namespace::current().value().same_as(sandbox.value().netns()));
    EXPECT_TRUE(Namespace::current().value().same_as(sandbox.value().home()));
  }
}

TEST_F(SandboxTest, ThatIsGoneIsFoundAsNothingAndCannotBeOpened) {
  PARITY("T16 T17");
  test::write_file("/run/plain", "");
  for (const char* path : {"", "/run/missing", "/run/plain"}) {
    const auto found = Sandbox::find(path);
    ASSERT_OK(found);
    EXPECT_FALSE(found.value()) << path;
    EXPECT_ERROR(Sandbox::open(path), Code::kInvalidEnvironment, "CNI_NETNS") << path;
  }
}

TEST_F(SandboxTest, ThatIsThereIsFound) {
  const auto found = Sandbox::find(test::add_netns("pod"));
  ASSERT_OK(found);
  EXPECT_TRUE(found.value());
}

}  // namespace
}  // namespace cnio::net
