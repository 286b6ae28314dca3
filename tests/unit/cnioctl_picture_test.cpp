// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// The picture of a node: what is in it, and that it is one, whatever names there are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/picture/drawing.hpp"
#include "cnioctl/picture/fold.hpp"
#include "cnioctl/picture/picture.hpp"
#include "cnioctl/picture/svg.hpp"
#include "unit/cnioctl_example.hpp"

namespace cnio::cnioctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST(Scene, HasPodsByTheirBridgeAndWhereItLeads) {
  example::Node node = example::node_of(2);
  node.add_network("other", "br1", "10.9.0", "fd00:9");
  node.add_pod("default/db", {"10.9.0.2", "fd00:9::2"});
  const Scene scene = make_scene(node.counted());
  EXPECT_EQ(scene.name, "node-1");
  EXPECT_EQ(scene.about, "3 pods, kernel 6.1.0, 2026-11-28 00:28:29 UTC");
  EXPECT_THAT(scene.problems, IsEmpty());
  ASSERT_THAT(scene.groups, SizeIs(2));
  EXPECT_THAT(scene.groups[0].box.lines,
              ElementsAre("br1", "10.9.0.1/24, fd00:9::1/64", "other", "1 of 253, 1 addresses",
                          "masquerade nftables, not to 10.240.0.0/16"));
  ASSERT_THAT(scene.groups[0].rows, SizeIs(1));
  const SceneRow& row = scene.groups[0].rows[0];
  EXPECT_EQ(row.look, Look::kWell);
  EXPECT_EQ(row.name, "default/db");
  EXPECT_EQ(row.addresses, "10.9.0.2, fd00:9::2");
  EXPECT_EQ(row.host_end, "vethaaaaaaa3");
  EXPECT_THAT(row.title, AllOf(HasSubstr("container c3"), HasSubstr("host end     vethaaaaaaa3 in br1, up")));
  EXPECT_THAT(scene.uplink.lines, ElementsAre("eth0", "192.168.1.11/24", "MTU 1500"));
  EXPECT_THAT(scene.routes, ElementsAre("default via 192.168.1.1 dev eth0", "10.240.2.0/24 via 192.168.1.12 dev eth0"));
}

TEST(Scene, SaysWhatIsWrongWhereItIs) {
  example::Node node = example::node_of(3);
  node.facts.world.attached[0].rules.clear();
  node.facts.world.attached[1].host_ends[0].master = net::IfIndex::kNone;
  node.add_lost("default/old", "10.240.1.90");
  node.facts.node.forwards_ipv4 = false;
  const Scene scene = make_scene(node.counted());
  const auto& rows = scene.groups.at(0).rows;
  ASSERT_THAT(rows, SizeIs(4));
  EXPECT_EQ(rows[0].look, Look::kWrong);
  EXPECT_EQ(rows[0].trouble, "no masquerade rule");
  EXPECT_TRUE(rows[0].attached);
  EXPECT_EQ(rows[1].trouble, "host end is not in bridge cni0");
  EXPECT_FALSE(rows[1].attached) << "its cable ends before the bridge";
  EXPECT_EQ(rows[2].look, Look::kWell);
  EXPECT_EQ(rows[3].look, Look::kStale);
  EXPECT_EQ(rows[3].trouble, "gone: /run/netns/cni-3f0f is not there any more");
  EXPECT_EQ(scene.forwarding.look, Look::kWrong);
  EXPECT_THAT(scene.problems, SizeIs(3));
}

TEST(Scene, ABridgeThatIsGoneIsInThePicture) {
  example::Node node = example::node_of(1);
  std::erase_if(node.facts.world.links, [](const net::Link& link) { return link.name == "cni0"; });
  const Scene scene = make_scene(node.counted());
  ASSERT_THAT(scene.groups, SizeIs(1));
  EXPECT_EQ(scene.groups[0].box.look, Look::kWrong);
  EXPECT_THAT(scene.groups[0].box.lines.at(1), "is gone");
  EXPECT_FALSE(scene.groups[0].rows.at(0).attached);
}

TEST(Scene, OfManyPodsShowsThoseThatAreNotWell) {
  EXPECT_THAT(make_scene(example::node_of(60).counted()).groups[0].rows, SizeIs(60));
  example::Node node = example::node_of(500);
  node.facts.world.attached[77].rules.clear();
  node.add_lost("default/old", "10.240.1.254");
  const auto rows = make_scene(node.counted()).groups.at(0).rows;
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_EQ(rows[0].name, "default/web-77");
  EXPECT_EQ(rows[1].name, "default/old");
  EXPECT_EQ(rows[2].name, "+ 499");
  EXPECT_TRUE(rows[2].many);
  EXPECT_THAT(rows[2].title, AllOf(HasSubstr("default/web-0  10.240.1.2\n"), HasSubstr("and 469 more")));
}

TEST(Scene, OfOneTroubleOfManyShowsSome) {
  example::Node node = example::node_of(500);
  for (Attached& each : node.facts.world.attached) each.rules.clear();
  const auto rows = make_scene(node.counted()).groups.at(0).rows;
  ASSERT_THAT(rows, SizeIs(6));
  EXPECT_EQ(rows[5].name, "+ 495");
  EXPECT_EQ(rows[5].look, Look::kWrong);
  EXPECT_EQ(rows[5].trouble, "no masquerade rule");
}

TEST(Scene, OfManyBridgesShowsLessOfEach) {
  std::vector<SceneGroup> groups(10);
  for (SceneGroup& each : groups) each.rows.resize(50);
  EXPECT_EQ(rows_for_each(groups), 12U);
  groups.resize(2);
  EXPECT_EQ(rows_for_each(groups), kMostRows);
}

TEST(Drawing, NothingInANameIsMarkup) {
  EXPECT_EQ(xml_escaped("<a href=\"x\">'&\n"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\n");
  EXPECT_EQ(xml_escaped("a\x01"
                        "b\xEF\xBF\xBE"
                        "c\xEF\xBF\xBF"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD"
            "c\xEF\xBF\xBD")
      << "no characters of XML";
  EXPECT_EQ(cut_text("b\xc3\xa4"
                     "c",
                     3),
            "b\xc3\xa4"
            "c");
  EXPECT_EQ(cut_text("b\xc3\xa4"
                     "cd",
                     3),
            "b\xc3\xa4…");
}

TEST(Picture, OfHostileNamesIsOneOfTheNode) {
  example::Node node = example::node_of(1);
  node.facts.world.attached[0].pod = "<script>x()</script>\x1b[2J\\N\"];a--b;\n";
  const std::string svg = svg_of(make_scene(node.counted()));
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("\x1b")), HasSubstr("&lt;script&gt;")));
  const std::string dot = dot_of(make_scene(node.facts));
  EXPECT_THAT(dot, AllOf(HasSubstr("\\\\N\\\"];a--b;\\\\x0a"), Not(HasSubstr("\x1b"))));
}

TEST(Picture, HasNoScriptAndNothingFromElsewhere) {
  const std::string svg = svg_of(make_scene(example::node_of(20).counted()));
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("href")), Not(HasSubstr("url(")),
                         Not(HasSubstr("onload")), HasSubstr("prefers-color-scheme:dark")));
}

TEST(Picture, AsDot) {
  example::Node node = example::node_of(2);
  node.facts.world.attached[1].rules.clear();
  const std::string dot = dot_of(make_scene(node.counted()));
  EXPECT_THAT(dot, AllOf(HasSubstr("graph \"node-1\" {"), HasSubstr("  p0_0 -- p0_0e;\n  p0_0e -- b0;\n"),
                         HasSubstr("p0_1e -- b0 [color=red, fontcolor=red];\n"), HasSubstr("  b0 -- forwarding;\n"),
                         HasSubstr("  forwarding -- uplink;\n")));
}

TEST(Picture, GoesToStandardOutput) {
  const Outcome outcome = picture(example::node_of(1).counted(), "-");
  EXPECT_EQ(outcome.exit, Exit::kWell);
  EXPECT_THAT(outcome.out, ::testing::StartsWith("<svg xmlns="));
  EXPECT_EQ(picture(example::node_of(1).counted(), "/nowhere/x.svg").exit, Exit::kFound);
}

}  // namespace
}  // namespace cnio::cnioctl
