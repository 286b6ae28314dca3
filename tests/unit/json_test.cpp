// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json parsed(std::string_view text) {
  auto result = parse_json(text);
  EXPECT_OK(result) << text;
  return result.ok() ? std::move(result).value() : Json();
}

TEST(ParseJson, TakesEachKindOfValue) {
  EXPECT_EQ(parsed(" null ").dump(), "null");
  EXPECT_EQ(parsed("true").dump(), "true");
  EXPECT_EQ(parsed("-12").dump(), "-12");
  EXPECT_EQ(parsed("18446744073709551615").dump(), "18446744073709551615");
  EXPECT_EQ(parsed(R"("a\u00e9\n\ud83d\ude00")"), Json("aé\n😀"));
  EXPECT_EQ(parsed("[1, [], {}, \"x\"]").dump(), R"([1,[],{},"x"])");
  EXPECT_EQ(parsed("\t\r\n{\"a\" : 1}\n").dump(), R"({"a":1})");
}

TEST(ParseJson, KeepsOrderAndDuplicates) {
  const Json object = parsed(R"({"b": 1, "a": 2, "b": 3})");
  ASSERT_EQ(object.size(), 3U);
  EXPECT_EQ(object.dump(), R"({"b":1,"a":2,"b":3})");
}

TEST(ParseJson, RefusesWhatIsNotExactlyOneValue) {
  PARITY("T06");
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,          " \n"sv,       "{"sv,          "}"sv,        "{}x"sv,
                                      "{} {}"sv,     "[1,]"sv,      "{\"a\":1,}"sv, "{a:1}"sv,    "{'a':1}"sv,
                                      "// c\n{}"sv,  "/* c */{}"sv, "nul"sv,        "NaN"sv,      "Infinity"sv,
                                      "01"sv,        "+1"sv,        "1."sv,         ".5"sv,       "0x10"sv,
                                      "\"a"sv,       "\"\\x\""sv,   "\"\\u12\""sv,  "\"a\nb\""sv, "\"tab\there\""sv,
                                      "{\"a\" 1}"sv, "{1:2}"sv,     "[1 2]"sv,      "hello"sv,    "\xfe\xff"sv}) {
    EXPECT_ERROR(parse_json(text), Code::kDecode, "not JSON") << text;
  }
}

// The parser's own idea of an end: a NUL, and whatever stands behind it.
TEST(ParseJson, RefusesNulBytes) {
  using namespace std::string_view_literals;
  EXPECT_ERROR(parse_json("{}\0"sv), Code::kDecode, "not JSON");
  EXPECT_ERROR(parse_json("{}\0{}"sv), Code::kDecode, "not JSON");
  EXPECT_ERROR(parse_json("\0{}"sv), Code::kDecode, "not JSON");
  EXPECT_ERROR(parse_json("{\"a\0\": 1}"sv), Code::kDecode, "not JSON");
}

TEST(ParseJson, RefusesAByteOrderMark) {
  PARITY("T06");
  EXPECT_ERROR(parse_json("\xef\xbb\xbf{}"), Code::kDecode, "byte order mark");
}

TEST(ParseJson, ErrorsSayWhereAndStayShort) {
  EXPECT_ERROR(parse_json("{\"a\": 1,\n \"b\": x}"), Code::kDecode, "line 2", "column 7");
  const auto unterminated = parse_json("{\"a\": \"" + std::string(1 << 20, 'x'));
  EXPECT_ERROR(unterminated, Code::kDecode, "not JSON");
  EXPECT_LT(unterminated.error().msg().size(), 400U);
}

std::string nested(size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(ParseJson, NestingIsBounded) {
  EXPECT_OK(parse_json(nested(1000)));
  EXPECT_ERROR(parse_json(nested(1001)), Code::kDecode, "nested deeper than 1000 levels");
  EXPECT_ERROR(parse_json(std::string(500'000, '[')), Code::kDecode, "nested deeper");
  std::string objects;
  for (int i = 0; i < 1001; ++i) objects += "{\"a\":";
  EXPECT_ERROR(parse_json(objects), Code::kDecode, "nested deeper");
}

// Invalid UTF-8 becomes U+FFFD, one for each byte.
TEST(ParseJson, RepairsInvalidUtf8) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(parsed("\"\xff\"").get<std::string>(), bad);
  EXPECT_EQ(parsed("\"a\xc3\"").get<std::string>(), "a" + bad);
  EXPECT_EQ(parsed("\"\xc0\xaf\"").get<std::string>(), bad + bad);                      // overlong
  EXPECT_EQ(parsed("\"\xed\xa0\x80\"").get<std::string>(), bad + bad + bad);            // a surrogate
  EXPECT_EQ(parsed("\"\xf4\x90\x80\x80\"").get<std::string>(), bad + bad + bad + bad);  // beyond U+10FFFF
  EXPECT_EQ(parsed("\"\xe2\x82\"").get<std::string>(), bad + bad);                      // cut short
  EXPECT_EQ(parsed("\"\xf0\x9f\x98\x80 \xc3\xa9\"").get<std::string>(), "😀 é");
}

TEST(FormatJson, IndentsByFourWithoutFinalNewline) {
  EXPECT_EQ(format_json(parsed(R"({"b": [1, {"c": "d"}], "a": {}, "e": []})")),
            "{\n    \"b\": [\n        1,\n        {\n            \"c\": \"d\"\n        }\n    ],\n    \"a\": {},\n"
            "    \"e\": []\n}");
}

TEST(FormatJson, EscapesWhatHtmlAndScriptsTrip) {
  PARITY("T13");
  EXPECT_EQ(format_json(Json("<a>&b\xe2\x80\xa8\xe2\x80\xa9")), R"("\u003ca\u003e\u0026b\u2028\u2029")");
  EXPECT_EQ(format_json(Json("é😀")), "\"é😀\"");
  EXPECT_EQ(format_json(Json("\"\\\n\x01")), R"("\"\\\n\u0001")");
  // A backslash in front of an escaped character is another character.
  EXPECT_EQ(format_json(Json("\\<")), R"("\\\u003c")");
  EXPECT_EQ(parsed(format_json(Json("<\\&\xe2\x80\xa8>"))), Json("<\\&\xe2\x80\xa8>"));
}

TEST(FormatJson, SurvivesInvalidUtf8) { EXPECT_EQ(format_json(Json("a\xff")), "\"a\xef\xbf\xbd\""); }

// Bounded by the test's time limit: quadratic work would take hours on these.
TEST(Json, LargeTextsAreHandledInLinearTime) {
  std::string many_numbers = "[0";
  while (many_numbers.size() < (1 << 20) - 3) many_numbers += ",1";
  EXPECT_GT(parsed(many_numbers + "]").size(), 500'000U);
  std::string many_keys = "{\"k\": 1";
  for (int i = 0; many_keys.size() < (1 << 20) - 20; ++i) many_keys += ",\"k" + std::to_string(i) + "\":1";
  const Json object = parsed(many_keys + "}");
  EXPECT_EQ(Fields(object).integer("K").value(), 1);
  const std::string escaped = format_json(Json(std::string(1 << 20, '<')));
  EXPECT_EQ(escaped.size(), 6U * (1 << 20) + 2);
}

// ---- Fields

class FieldsTest : public ::testing::Test {
 protected:
  const Json& object(std::string_view text) { return object_ = parsed(text); }
  Json object_;
};

TEST_F(FieldsTest, KeysMatchInAnyCase) {
  PARITY("T14");
  const Fields fields(object(R"({"isGATEWAY": true, "MTU": 5, "Name": "n"})"));
  EXPECT_EQ(fields.boolean("isGateway").value(), true);
  EXPECT_EQ(fields.integer("mtu").value(), 5);
  EXPECT_EQ(fields.text("name").value(), "n");
  EXPECT_FALSE(fields.has("nam"));
  EXPECT_FALSE(fields.has("namee"));
}

TEST_F(FieldsTest, TheLastDuplicateWinsWhateverItsCase) {
  EXPECT_EQ(Fields(object(R"({"mtu": 1, "mtu": 2})")).integer("mtu").value(), 2);
  EXPECT_EQ(Fields(object(R"({"mtu": 1, "MTU": 2})")).integer("mtu").value(), 2);
  EXPECT_EQ(Fields(object(R"({"MTU": 1, "mtu": 2})")).integer("mtu").value(), 2);
  EXPECT_ERROR(Fields(object(R"({"mtu": 1, "mtu": "x"})")).integer("mtu"), Code::kInvalidConfig);
}

TEST_F(FieldsTest, NullIsAbsentAndLeavesAnEarlierValue) {
  const Fields fields(object(R"({"a": null, "b": 1, "b": null})"));
  EXPECT_FALSE(fields.has("a"));
  EXPECT_TRUE(fields.mentions("a"));
  EXPECT_FALSE(fields.mentions("c"));
  EXPECT_EQ(fields.text("a").value(), "");
  EXPECT_EQ(fields.boolean("a").value(), false);
  EXPECT_EQ(fields.integer("a").value(), std::nullopt);
  EXPECT_EQ(fields.integer("b").value(), 1);
}

TEST_F(FieldsTest, AbsentKeysHaveDefaults) {
  for (const char* text : {"{}", "null"}) {
    const Fields fields(object(text));
    EXPECT_EQ(fields.text("k").value(), "");
    EXPECT_EQ(fields.boolean("k").value(), false);
    EXPECT_EQ(fields.boolean("k", true).value(), true);
    EXPECT_EQ(fields.integer("k").value(), std::nullopt);
    EXPECT_EQ(fields.integer_within("k", 5, 6).value(), std::nullopt);
    EXPECT_TRUE(fields.texts("k").value().empty());
    EXPECT_EQ(fields.ip("k").value(), std::nullopt);
    EXPECT_EQ(fields.cidr("k").value(), std::nullopt);
    EXPECT_FALSE(fields.object("k").value().has("x"));
    EXPECT_EQ(fields.object("k").value().path_of("x"), "k.x");
    EXPECT_TRUE(fields.objects("k").value().empty());
    EXPECT_TRUE(fields.object_lists("k").value().empty());
    EXPECT_FALSE(fields.mentions("k"));
  }
}

TEST_F(FieldsTest, IntegersMustBeWrittenAsIntegers) {
  PARITY("T14");
  for (const char* text : {"1400.0", "1e3", "1E0", "0.5", "\"1400\"", "true", "[]", "{}", "9223372036854775808",
                           "18446744073709551615", "-9223372036854775809", "100000000000000000000"}) {
    EXPECT_ERROR(Fields(object("{\"mtu\": " + std::string(text) + "}")).integer("mtu"), Code::kInvalidConfig,
                 "key \"mtu\": must be an integer, not ")
        << text;
  }
  EXPECT_EQ(Fields(object(R"({"n": 9223372036854775807})")).integer("n").value(), INT64_MAX);
  EXPECT_EQ(Fields(object(R"({"n": -9223372036854775808})")).integer("n").value(), INT64_MIN);
  EXPECT_EQ(Fields(object(R"({"n": -0})")).integer("n").value(), 0);
}

TEST_F(FieldsTest, IntegersWithinBounds) {
  const Fields fields(object(R"({"n": 7})"));
  EXPECT_EQ(fields.integer_within("n", 7, 7).value(), 7);
  EXPECT_ERROR(fields.integer_within("n", 8, 9), Code::kInvalidConfig, "\"n\": must be within 8 and 9, not 7");
  EXPECT_ERROR(fields.integer_within("n", -9, 6), Code::kInvalidConfig, "within -9 and 6");
}

TEST_F(FieldsTest, Lists) {
  const Fields fields(object(R"({"t": ["a", "b"], "o": [{"x": 1}, {"x": 2}], "l": [[{"x": 3}], [], [{"x": 4}, {}]]})"));
  EXPECT_THAT(fields.texts("t").value(), ElementsAre("a", "b"));
  const auto objects = fields.objects("o");
  ASSERT_OK(objects);
  EXPECT_EQ(objects.value().at(1).integer("x").value(), 2);
  EXPECT_EQ(objects.value().at(1).path_of("x"), "o[1].x");
  const auto lists = fields.object_lists("l");
  ASSERT_OK(lists);
  ASSERT_EQ(lists.value().size(), 3U);
  EXPECT_TRUE(lists.value()[1].empty());
  EXPECT_EQ(lists.value()[2].at(0).path_of("x"), "l[2][0].x");
}

TEST_F(FieldsTest, Addresses) {
  const Fields fields(object(R"({"ip": "10.1.2.3", "net": "10.1.2.3/24", "none": "", "bad": "10.1.2.3.4"})"));
  EXPECT_EQ(fields.ip("ip").value()->to_string(), "10.1.2.3");
  EXPECT_EQ(fields.cidr("net").value()->to_string(), "10.1.2.3/24");
  EXPECT_EQ(fields.ip("none").value(), std::nullopt);
  EXPECT_EQ(fields.cidr("none").value(), std::nullopt);
  EXPECT_ERROR(fields.ip("bad"), Code::kInvalidConfig, "\"bad\": must be an IP address, not \"10.1.2.3.4\"");
  EXPECT_ERROR(fields.ip("net"), Code::kInvalidConfig, "not \"10.1.2.3/24\"");
  EXPECT_ERROR(fields.cidr("ip"), Code::kInvalidConfig, "\"ip\": must be an address with a prefix length");
}

// One row per getter and wrong type: the message has the whole path, what was wanted and what was found.
TEST_F(FieldsTest, WrongTypesNameTheFullPath) {
  const Json& root = object(R"({"a": {"list": [{"inner": {
      "text": 5, "flag": "yes", "number": "5", "texts": ["x", 5], "texts2": "x", "ip": 7, "cidr": false, "object": [],
      "objects": {}, "objects2": [{}, null], "objects3": [[]], "lists": [[{}], {}], "lists2": [[{}, 1]], "lists3": 1
    }}]}})");
  const auto a = Fields(root).object("a");
  const auto list = a.value().objects("list");
  const auto inner = list.value().at(0).object("inner");
  ASSERT_OK(inner);
  const Fields& fields = inner.value();
  const std::string at = "invalid configuration: key \"a.list[0].inner.";
  EXPECT_ERROR(fields.text("text"), Code::kInvalidConfig, at + "text\": must be a string, not 5");
  EXPECT_ERROR(fields.boolean("flag"), Code::kInvalidConfig, at + "flag\": must be true or false, not \"yes\"");
  EXPECT_ERROR(fields.integer("number"), Code::kInvalidConfig, at + "number\": must be an integer, not \"5\"");
  EXPECT_ERROR(fields.texts("texts"), Code::kInvalidConfig, at + "texts[1]\": must be a string, not 5");
  EXPECT_ERROR(fields.texts("texts2"), Code::kInvalidConfig, at + "texts2\": must be a list, not \"x\"");
  EXPECT_ERROR(fields.ip("ip"), Code::kInvalidConfig, at + "ip\": must be a string, not 7");
  EXPECT_ERROR(fields.cidr("cidr"), Code::kInvalidConfig, at + "cidr\": must be a string, not false");
  EXPECT_ERROR(fields.object("object"), Code::kInvalidConfig, at + "object\": must be an object, not a list");
  EXPECT_ERROR(fields.objects("objects"), Code::kInvalidConfig, at + "objects\": must be a list, not an object");
  EXPECT_ERROR(fields.objects("objects2"), Code::kInvalidConfig, at + "objects2[1]\": must be an object, not null");
  EXPECT_ERROR(fields.objects("objects3"), Code::kInvalidConfig, at + "objects3[0]\": must be an object, not a list");
  EXPECT_ERROR(fields.object_lists("lists"), Code::kInvalidConfig, at + "lists[1]\": must be a list, not an object");
  EXPECT_ERROR(fields.object_lists("lists2"), Code::kInvalidConfig, at + "lists2[0][1]\": must be an object, not 1");
  EXPECT_ERROR(fields.object_lists("lists3"), Code::kInvalidConfig, at + "lists3\": must be a list, not 1");
}

TEST_F(FieldsTest, ErrorsCarryTheGivenCode) {
  const Fields fields(object(R"({"o": {"n": "x"}, "l": [1]})"), "prevResult", Code::kDelegate);
  EXPECT_ERROR(fields.integer("o"), Code::kDelegate, "key \"prevResult.o\": must be an integer, not an object");
  const auto inner = fields.object("o");
  EXPECT_ERROR(inner.value().integer("n"), Code::kDelegate, "key \"prevResult.o.n\"");
  EXPECT_ERROR(fields.objects("l"), Code::kDelegate, "key \"prevResult.l[0]\"");
}

TEST_F(FieldsTest, LongValuesAreCutInMessages) {
  const auto result = Fields(object("{\"n\": \"" + std::string(100'000, 'x') + "\"}")).integer("n");
  EXPECT_ERROR(result, Code::kInvalidConfig);
  EXPECT_LT(result.error().msg().size(), 300U);
  EXPECT_THAT(result.error().msg(), HasSubstr("..."));
}

}  // namespace
}  // namespace cnio::protocol
