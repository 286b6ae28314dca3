// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/host.hpp"
#include "tuning/backup.hpp"

namespace cnio::tuning {
namespace {

Backup full() {
  Backup backup;
  backup.network = "net";
  backup.attachment = {"c1", "eth\xff%0"};
  backup.host = 7;
  backup.sandbox = 8;
  backup.link = {.mac = MacAddr::parse("02:00:00:00:00:01"),
                 .mtu = 1500,
                 .promiscuous = false,
                 .all_multicast = true,
                 .tx_queue = 1000};
  backup.settings = {{"ipv4/conf/eth\xff%0/x", "1\t2", "3"}, {"core/somaxconn", "4096", "66"}};
  return backup;
}

TEST(TuningBackup, IsReadAsItWasWritten) {
  PARITY("T-U12 U18");
  const auto read = parse_backup(format_backup(full()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->network, "net");
  EXPECT_EQ(read->attachment, full().attachment);
  EXPECT_EQ(read->host, 7U);
  EXPECT_EQ(read->sandbox, 8U);
  EXPECT_EQ(read->link, full().link);
  EXPECT_EQ(read->settings, full().settings);
}

TEST(TuningBackup, OfTheReference) {
  PARITY("T-U12 T-U13");
  const char* const text =
      "{\n \"mac\": \"72:40:00:00:00:01\",\n \"promisc\": false,\n \"mtu\": 1500,\n"
      " \"allmulti\": false,\n \"txQLen\": 1000\n}";
  const auto read = parse_backup(text);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->network.empty());
  EXPECT_EQ(format_backup(*read), text);
}

TEST(TuningBackup, WhatIsNoneOfItsValuesIsAbsent) {
  PARITY("U9");
  for (const char* text : {"", "{", "[]", "5", "null", "{\"mtu\": 1}x"}) EXPECT_FALSE(parse_backup(text)) << text;
  const auto odd = parse_backup(R"({"mac": "x", "promisc": 1, "mtu": -1, "allmulti": null, "txQLen": 4294967296,
    "sysctl": {"../x": {"before": "1", "set": "2"}, "core/x": 5, "core/y": {"before": "1"}}, "cnio": 5})");
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->link.empty());
  EXPECT_TRUE(odd->settings.empty());
  EXPECT_TRUE(odd->network.empty());
}

TEST(TuningBackup, FirstValuesStay) {
  PARITY("U8");
  Backup earlier;
  earlier.link.mtu = 9000;
  earlier.settings = {{"core/somaxconn", "1", "2"}};
  full().add_to(earlier);
  EXPECT_EQ(earlier.link.mtu, 9000U);
  EXPECT_EQ(earlier.link.tx_queue, 1000U);
  const std::vector<SavedSetting> expected = {{"core/somaxconn", "1", "66"}, full().settings.front()};
  EXPECT_EQ(earlier.settings, expected);
}

}  // namespace
}  // namespace cnio::tuning
