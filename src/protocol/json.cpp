// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

namespace cnio::protocol {
namespace {

constexpr size_t kMaxFault = 256;  // bytes of the parser's message

// Builds a Json and keeps duplicates of a key, which nlohmann's own builder drops; bounds the depth.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(int64_t value) override { return add(value); }
  bool number_unsigned(uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string& /*text*/) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(size_t /*size*/) override { return open(Json::object()); }
  bool start_array(size_t /*size*/) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& text) override {
    key_ = std::move(text);
    return true;
  }
  bool parse_error(size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& fault) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view text = fault.what();
    const size_t end = text.find("] ");
    fault_ = text.substr(end == std::string_view::npos ? 0 : end + 2);
    // It ends with what was read last, which may be all there is.
    if (fault_.size() > kMaxFault) fault_.replace(kMaxFault, std::string::npos, "...");
    return false;
  }

  [[nodiscard]] Json take() { return std::move(root_); }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) return &parent.get_ref<Json::array_t&>().emplace_back(std::move(value));
    auto& members = parent.get_ref<Json::object_t&>();
    // As the vector that it is: ordered_map's own emplace searches for an equal key first.
    static_cast<Json::object_t::Container&>(members).emplace_back(std::move(key_), std::move(value));
    return &members.back().second;
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (open_.size() >= kMaxJsonDepth) {
      fault_ = "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels";
      return false;
    }
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;  // from the root to the innermost; elements stay in place while a child is open
  std::string key_;
  std::string fault_;
};

// The length of the valid UTF-8 sequence at the front of `text`, 0 if there is none (Unicode 15, table 3-7).
size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto within = [&](size_t i, unsigned low, unsigned high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return within(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) && within(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

// Moves what comes before the first byte that is `special` to the end of `out`, in one piece: nearly all that plugins
// read and write has no such byte. False if there is none.
template <class Special>
bool move_plain(std::string_view& text, std::string& out, Special special) {
  const auto plain = static_cast<size_t>(std::find_if(text.begin(), text.end(), special) - text.begin());
  out.append(text.data(), plain);
  text.remove_prefix(plain);
  return !text.empty();
}

// Every byte that is not part of valid UTF-8 becomes U+FFFD.
std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (move_plain(text, out, [](char byte) { return static_cast<unsigned char>(byte) >= 0x80; })) {
    const size_t length = utf8_sequence(text);
    out.append(length == 0 ? "\xef\xbf\xbd" : text.substr(0, length));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

// What is escaped besides what JSON asks for: these occur inside strings only.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEscapes = {
    {{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}, {"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"}}};

std::string escaped(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  // The first bytes of all of them.
  while (move_plain(json, out, [](char byte) { return byte == '<' || byte == '>' || byte == '&' || byte == '\xe2'; })) {
    const auto* const escape =
        std::find_if(kEscapes.begin(), kEscapes.end(), [&](const auto& each) { return json.starts_with(each.first); });
    const bool found = escape != kEscapes.end();
    out += found ? escape->second : json.substr(0, 1);
    json.remove_prefix(found ? escape->first.size() : 1);
  }
  return out;
}

// One that a number of this kind holds exactly, and that is not -0.
bool is_integer(double number) {
  constexpr double kLargest = 9007199254740992;  // 2 to the 53rd
  return number == std::trunc(number) && std::abs(number) <= kLargest && !(number == 0 && std::signbit(number));
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  // nlohmann skips a byte order mark, which is no JSON.
  if (text.starts_with("\xef\xbb\xbf")) return Error::make(Code::kDecode, "not JSON: begins with a byte order mark");
  // Nor is a NUL byte, which it takes for the end.
  if (text.find('\0') != std::string_view::npos) return Error::make(Code::kDecode, "not JSON: holds a NUL byte");
  Builder builder;
  if (!Json::sax_parse(valid_utf8(text), &builder)) return Error::make(Code::kDecode, "not JSON: " + builder.fault());
  return builder.take();
}

std::string format_json(const Json& value) {
  return escaped(value.dump(4, ' ', false, Json::error_handler_t::replace));
}

std::string compact_json(const Json& value) {
  return escaped(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json sorted(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& element : value) out.push_back(sorted(element));
    return out;
  }
  if (value.is_number_float() && is_integer(value.get<double>())) return static_cast<int64_t>(value.get<double>());
  if (!value.is_object()) return value;
  std::map<std::string_view, const Json*> members;
  for (const auto& [name, member] : value.get_ref<const Json::object_t&>()) members[name] = &member;
  Json out = Json::object();
  for (const auto& [name, member] : members) out[std::string(name)] = sorted(*member);
  return out;
}

}  // namespace cnio::protocol
