// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/error.hpp"

#include <cerrno>

#include <gtest/gtest.h>

#include "cnio/base/error_list.hpp"

#include "support/matchers.hpp"

namespace cnio {
namespace {

TEST(Error, CarriesCodeMessageAndDetails) {
  const Error error = Error::make(Code::kConflict, "interface eth0 exists", "call DEL first");
  EXPECT_EQ(error.code(), Code::kConflict);
  EXPECT_EQ(error.msg(), "interface eth0 exists");
  EXPECT_EQ(error.details(), "call DEL first");
  EXPECT_EQ(error.errnum(), 0);
}

TEST(Error, OfASystemCallKeepsTheNumberAndItsText) {
  const Error error = Error::sys("open /run/x", ENOENT);
  EXPECT_EQ(error.msg(), "open /run/x: No such file or directory");
  EXPECT_EQ(error.errnum(), ENOENT);
  EXPECT_EQ(error.code(), Code::kIo);
  EXPECT_EQ(Error::sys("add route", ENETUNREACH, Code::kKernel).code(), Code::kKernel);
}

TEST(Error, OfTheConfigurationNamesTheKey) {
  const Error error = Error::config("ipam.ranges[0]", "must be a list, not 5");
  EXPECT_EQ(error.code(), Code::kInvalidConfig);
  EXPECT_EQ(error.msg(), "invalid configuration: key \"ipam.ranges[0]\": must be a list, not 5");
}

TEST(Error, ContextGoesInFrontAndChangesNothingElse) {
  const Error error = Error::sys("open x", EACCES).hint("see y").context("read the store").context("add");
  EXPECT_EQ(error.msg(), "add: read the store: open x: Permission denied");
  EXPECT_EQ(error.details(), "see y");
  EXPECT_EQ(error.errnum(), EACCES);
  EXPECT_EQ(error.code(), Code::kIo);
}

TEST(Error, NotesFollowTheMessageAndHintsAreJoined) {
  const Error error =
      Error::sys("add route", ENETUNREACH).note("Nexthop has invalid gateway").hint("see a").hint("see b");
  EXPECT_EQ(error.msg(), "add route: Network is unreachable (Nexthop has invalid gateway)");
  EXPECT_EQ(error.details(), "see a; see b");
}

TEST(ErrnoText, KnowsNumbersAndSurvivesOthers) {
  EXPECT_EQ(errno_text(EPERM), "Operation not permitted");
  EXPECT_EQ(errno_text(99999), "error 99999");
}

TEST(Quote, EscapesWhatWouldBreakALine) {
  EXPECT_EQ(quote(""), "\"\"");
  EXPECT_EQ(quote("eth0"), "\"eth0\"");
  EXPECT_EQ(quote("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quote(std::string_view("a\0\n\t\x1f\x7f", 6)), R"("a\x00\x0a\x09\x1f\x7f")");
  EXPECT_EQ(quote("blåbær"), "\"blåbær\"");
}

TEST(Quote, IsCutAfterTheLimit) {
  EXPECT_EQ(quote("abcde", 5), "\"abcde\"");
  EXPECT_EQ(quote("abcdef", 5), "\"abcde...\"");
  EXPECT_EQ(quote(std::string(1000, 'x')), "\"" + std::string(128, 'x') + "...\"");
}

TEST(ErrorList, OfNothingIsSuccess) {
  ErrorList errors;
  errors.collect({});
  EXPECT_TRUE(errors.empty());
  EXPECT_OK(errors.status());
}

TEST(ErrorList, OfOneIsThatError) {
  ErrorList errors;
  errors.collect(Error::sys("remove rules", EPERM, Code::kKernel).hint("be root"));
  errors.collect({});
  EXPECT_FALSE(errors.empty());
  EXPECT_EQ(errors.status().error().msg(), "remove rules: Operation not permitted");
  EXPECT_EQ(errors.status().error().details(), "be root");
  EXPECT_EQ(errors.status().error().errnum(), EPERM);
}

TEST(ErrorList, OfSeveralHasTheFirstCodeAndAllMessages) {
  ErrorList errors;
  errors.collect(Error::make(Code::kKernel, "one"));
  errors.collect(Error::make(Code::kIo, "two", "hint of two"));
  errors.collect(Error::make(Code::kIo, "three"));
  errors.collect(Error::make(Code::kIo, "four", "hint of four"));
  EXPECT_EQ(errors.status().error().code(), Code::kKernel);
  EXPECT_EQ(errors.status().error().msg(), "one; also: two; also: three; also: four");
  EXPECT_EQ(errors.status().error().details(), "hint of two; hint of four");
}

TEST(ErrorTexts, AreOneLineWhateverTheyHold) {
  EXPECT_EQ(one_line("open /a\nb\r\x7f \"c\\d\": \xc3\xa9"), "open /a\\x0ab\\x0d\\x7f \"c\\d\": \xc3\xa9");
}

// A terminal takes U+009B for the beginning of a command, as it does ESC and "[".
TEST(ErrorTexts, HoldNothingThatATerminalActsOn) {
  EXPECT_EQ(one_line("\xc2\x9b"
                     "2J \xc2\x80\xc2\x9f"),
            "\\xc2\\x9b2J \\xc2\\x80\\xc2\\x9f");
  EXPECT_EQ(quote("\xc2\x85"), "\"\\xc2\\x85\"");
  for (const std::string shown : {"\xc2\xa0", "\xc3\x9b", "\xe2\x82\xac", "\xc2"}) EXPECT_EQ(one_line(shown), shown);
}

}  // namespace
}  // namespace cnio
