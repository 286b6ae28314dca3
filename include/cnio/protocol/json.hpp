// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/keys.hpp"

// JSON as CNI configurations are written: decoded by the rules that users of the reference (Go's encoding/json) rely
// on. Keys match regardless of case, the last of equal keys wins, null counts as absent, unknown keys are ignored, a
// known key of the wrong type is an error, integers must be written as integers, invalid UTF-8 becomes U+FFFD.
namespace cnio::protocol {

// Objects keep the order, and all duplicates, of the text.
using Json = nlohmann::ordered_json;

// Nesting beyond this is refused (code 6): no configuration needs it, and it bounds all recursion.
inline constexpr size_t kMaxJsonDepth = 1000;

// Parses exactly one JSON value. Errors: code 6, with the position and cause of the fault.
Result<Json> parse_json(std::string_view text);

// Formats with 4 spaces of indentation and no final newline; `<`, `>`, `&`, U+2028 and U+2029 as \u escapes.
std::string format_json(const Json& value);

// Formats without blanks and line ends, with the same escapes. An object of `sorted` comes out as the reference writes
// one that it does not know the members of.
std::string compact_json(const Json& value);

// The same value with the members of all objects in the order of their names, the last of equal ones only, and numbers
// that are integers written as such.
Json sorted(const Json& value);

// A JSON object seen by key. Getters name the key by its full path ("ipam.ranges[0][1].subnet") in their errors, which
// carry the code given to the constructor (7 for configurations). Borrows the Json, which must outlive it.
//
// With a table of keys, `knowing` it, there is nothing else to be seen: what is not in the table, or is read as another
// type than the table says, is absent. So the table has all that a parser can read.
class Fields {
 public:
  // `path` is the object's own place, "" for the top level. `object` must be an object or null (no fields).
  explicit Fields(const Json& object, std::string path = {}, Code code = Code::kInvalidConfig)
      : object_(&object), path_(std::move(path)), code_(code) {}

  // The same object, seen by a table. At the top level kCommonKeys belong to each.
  [[nodiscard]] Fields knowing(Keys keys, Place place = kConfiguration) const;
  // What the table's keys are at another place of the configuration; no fields if it is not there.
  [[nodiscard]] Result<Fields> at(Place place) const;

  // Absent and null: nullptr.
  [[nodiscard]] const Json* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  // Present, even as null.
  [[nodiscard]] bool mentions(std::string_view key) const;

  // All of them, as they are written.
  [[nodiscard]] std::vector<std::string> keys() const;

  // Absent: empty string, `otherwise`, nothing, no elements. A text with a NUL character, behind which the system would
  // not look, is an error.
  [[nodiscard]] Result<std::string> text(std::string_view key) const;
  [[nodiscard]] Result<bool> boolean(std::string_view key, bool otherwise = false) const;
  [[nodiscard]] Result<std::optional<int64_t>> integer(std::string_view key) const;
  // Is it the text "auto", and may be?
  [[nodiscard]] bool is_auto(std::string_view key) const;
  // An integer within [low, high], or absent.
  [[nodiscard]] Result<std::optional<int64_t>> integer_within(std::string_view key, int64_t low, int64_t high) const;
  [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view key) const;
  // Empty text counts as absent; anything else must parse.
  [[nodiscard]] Result<std::optional<IpAddr>> ip(std::string_view key) const;
  [[nodiscard]] Result<std::optional<Cidr>> cidr(std::string_view key) const;
  // Absent: an object without fields.
  [[nodiscard]] Result<Fields> object(std::string_view key) const;
  // The members of an object of texts, all of them, in their order and as they are spelled; null is no text.
  [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> members(std::string_view key) const;
  // Every element must be an object; a null element is an error.
  [[nodiscard]] Result<std::vector<Fields>> objects(std::string_view key) const;
  // A list of lists of objects (host-local's ranges).
  [[nodiscard]] Result<std::vector<std::vector<Fields>>> object_lists(std::string_view key) const;

  // "ipam.subnet" for the key "subnet" of the object at "ipam".
  [[nodiscard]] std::string path_of(std::string_view key) const;
  // An error about one key of this object, with this object's code.
  [[nodiscard]] Error fault(std::string_view key, std::string_view why) const;

 private:
  [[nodiscard]] const Key* row(std::string_view key) const;
  [[nodiscard]] Result<const Json*> value(std::string_view key, KeyType type) const;
  [[nodiscard]] Fields inside(const Json& object, std::string_view key, std::string path) const;
  [[nodiscard]] Error wrong_type(std::string_view key, const Json& value, std::string_view wanted) const;
  [[nodiscard]] Result<std::vector<Fields>> elements(const Json& values, std::string_view key,
                                                     const std::string& path) const;
  [[nodiscard]] Status refuse_nul(std::string_view key, const std::string& text) const;

  const Json* object_;
  std::string path_;
  Code code_;
  Keys keys_;  // empty: no table
  Place place_ = kConfiguration;
};

}  // namespace cnio::protocol
