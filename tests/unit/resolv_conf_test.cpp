// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/resolv_conf.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "cnio/base/unique_fd.hpp"

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::ipam {
namespace {

using Texts = std::vector<std::string>;

protocol::Dns parsed(const std::string& text) {
  const auto dns = parse_resolv_conf(text, "resolv.conf");
  EXPECT_OK(dns);
  return dns.ok() ? dns.value() : protocol::Dns();
}

TEST(ResolvConf, EveryKeyword) {
  const protocol::Dns dns = parsed("nameserver 10.0.0.53\ndomain d.example\nsearch a.example\noptions ndots:2\n");
  EXPECT_EQ(dns.nameservers, Texts({"10.0.0.53"}));
  EXPECT_EQ(dns.domain, "d.example");
  EXPECT_EQ(dns.search, Texts({"a.example"}));
  EXPECT_EQ(dns.options, Texts({"ndots:2"}));
}

TEST(ResolvConf, NothingToReadIsEmpty) {
  for (const char* text : {"", "\n\n", "# nameserver 10.0.0.53", "; search a", "  # x y\n\t; x y\n", "nameserver\n",
                           "domain \n", "unknown word\n", "Nameserver 10.0.0.53\n", "#nameserver 10.0.0.53\n"}) {
    EXPECT_TRUE(parsed(text).empty()) << text;
  }
}

TEST(ResolvConf, NameserversKeepTheirFirstValueUncheckedAndRepeated) {
  EXPECT_EQ(parsed("nameserver x y\nnameserver\t10.0.0.53\nnameserver x\n").nameservers,
            Texts({"x", "10.0.0.53", "x"}));
}

TEST(ResolvConf, TheLastDomainWins) { EXPECT_EQ(parsed("domain a b\ndomain c\n").domain, "c"); }

TEST(ResolvConf, SearchAndOptionsGatherOverLines) {
  const protocol::Dns dns = parsed("search a b\noptions x\nsearch c\noptions y\tz");
  EXPECT_EQ(dns.search, Texts({"a", "b", "c"}));
  EXPECT_EQ(dns.options, Texts({"x", "y", "z"}));
}

TEST(ResolvConf, BlanksAndLineEndsOfOtherSystemsDoNotMatter) {
  EXPECT_EQ(parsed(" \tnameserver \t 10.0.0.53 \r\n").nameservers, Texts({"10.0.0.53"}));
}

TEST(ResolvConf, ALineOf64KiBIsRefusedAndAShorterOneIsNot) {
  const std::string longest = "search " + std::string(65535 - 7, 'a');
  EXPECT_EQ(parsed(longest + "\nsearch b\n").search.size(), 2U);
  EXPECT_ERROR(parse_resolv_conf("\n" + longest + "a", "/etc/resolv.conf"), Code::kIo, "/etc/resolv.conf", "line 2");
}

// A result cannot carry a NUL on to the next plugin.
TEST(ResolvConf, WhatIsBehindANulIsNoPartOfItsLine) {
  using namespace std::string_view_literals;
  const auto dns = parse_resolv_conf("nameserver 10.0.0.53\0 x\nsearch a\0b c\n\0domain d\n"sv, "it");
  ASSERT_OK(dns);
  EXPECT_EQ(dns.value().nameservers, Texts({"10.0.0.53"}));
  EXPECT_EQ(dns.value().search, Texts({"a"}));
  EXPECT_EQ(dns.value().domain, "");
}

TEST(ResolvConf, AFileThatCannotBeReadIsAnErrorWithItsName) {
  const test::TempFolder folder;
  EXPECT_ERROR(read_resolv_conf(folder.at("missing")), Code::kIo, folder.at("missing"));
}

// What is neither opened nor read cannot make us wait, and has no effects.
TEST(ResolvConf, OnlyARegularFileIsOpened) {
  FAULT("C10 waits");
  const test::TempFolder folder;
  const std::string pipe = folder.at("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_ERROR(read_resolv_conf(pipe), Code::kIo, pipe, "a pipe");
  const UniqueFd silent(open(pipe.c_str(), O_RDWR | O_CLOEXEC));  // somebody has it open, and says nothing
  ASSERT_TRUE(silent.valid());
  EXPECT_ERROR(read_resolv_conf(pipe), Code::kIo, pipe, "a pipe");
  ASSERT_EQ(symlink(pipe.c_str(), folder.at("link").c_str()), 0);
  EXPECT_ERROR(read_resolv_conf(folder.at("link")), Code::kIo, folder.at("link"), "a pipe");
  EXPECT_ERROR(read_resolv_conf("/proc/self/fd/" + std::to_string(silent.get())), Code::kIo, "a pipe");
  EXPECT_ERROR(read_resolv_conf(folder.path()), Code::kIo, folder.path(), "a folder");
  EXPECT_ERROR(read_resolv_conf("/dev/zero"), Code::kIo, "/dev/zero", "a device");
  const UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{AF_UNIX, {}};
  folder.at("socket").copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
  ASSERT_EQ(bind(server.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  EXPECT_ERROR(read_resolv_conf(folder.at("socket")), Code::kIo, folder.at("socket"), "a socket");
}

TEST(ResolvConf, ALinkToAFileIsFollowed) {
  const test::TempFolder folder;
  folder.write("file", "nameserver 10.0.0.53\n");
  ASSERT_EQ(symlink("file", folder.at("resolv.conf").c_str()), 0);
  const auto dns = read_resolv_conf(folder.at("resolv.conf"));
  ASSERT_OK(dns);
  EXPECT_EQ(dns.value().nameservers, Texts({"10.0.0.53"}));
}

TEST(ResolvConf, AFileIsRead) {
  const test::TempFolder folder;
  folder.write("resolv.conf", "nameserver 10.0.0.53\n");
  const auto dns = read_resolv_conf(folder.at("resolv.conf"));
  ASSERT_OK(dns);
  EXPECT_EQ(dns.value().nameservers, Texts({"10.0.0.53"}));
}

}  // namespace
}  // namespace cnio::ipam
