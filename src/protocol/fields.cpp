// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "cnio/protocol/json.hpp"

namespace cnio::protocol {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string shown(const Json& value) {
  if (value.is_string()) return quote(value.get_ref<const std::string&>());
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  return value.dump();
}

bool holds(const Json& value, KeyType type) {
  switch (type) {
    case KeyType::kBoolean:
      return value.is_boolean();
    case KeyType::kInteger:
    case KeyType::kIntegerOrAuto:
      return value.is_number_integer() && !(value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX);
    case KeyType::kText:
      return value.is_string();
    case KeyType::kObject:
      return value.is_object();
    case KeyType::kTexts:
    case KeyType::kObjects:
    case KeyType::kObjectLists:
      break;
  }
  return value.is_array();
}

// "auto" is read by `is_auto`, anything else as an integer.
KeyType shape(KeyType type) { return type == KeyType::kIntegerOrAuto ? KeyType::kInteger : type; }

}  // namespace

Fields Fields::knowing(Keys keys, Place place) const {
  Fields out = *this;
  out.keys_ = keys;
  out.place_ = place;
  return out;
}

Result<Fields> Fields::at(Place place) const {
  const Fields all = knowing({});
  CNIO_LET(Fields inner, all.object(place == kRuntimeConfig ? "runtimeConfig" : "args"));
  if (place == kArgsCni) {
    CNIO_LET(inner, inner.object("cni"));
  }
  return inner.knowing(keys_, place);
}

const Key* Fields::row(std::string_view key) const {
  const Key* own = find_key(keys_, key, place_);
  return own == nullptr && path_.empty() ? find_key(kCommonKeys, key, place_) : own;
}

const Json* Fields::find(std::string_view key) const {
  if (!object_->is_object() || (!keys_.empty() && row(key) == nullptr)) return nullptr;
  const auto& members = object_->get_ref<const Json::object_t&>();
  // The last that is not null: null leaves what an earlier duplicate said.
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    if (equal_ignoring_case(member->first, key) && !member->second.is_null()) return &member->second;
  }
  return nullptr;
}

bool Fields::mentions(std::string_view key) const {
  if (!object_->is_object()) return false;
  const auto& members = object_->get_ref<const Json::object_t&>();
  return std::any_of(members.begin(), members.end(),
                     [&](const auto& member) { return equal_ignoring_case(member.first, key); });
}

std::vector<std::string> Fields::keys() const {
  std::vector<std::string> out;
  if (!object_->is_object()) return out;
  for (const auto& member : object_->get_ref<const Json::object_t&>()) out.push_back(member.first);
  return out;
}

std::string Fields::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

Error Fields::fault(std::string_view key, std::string_view why) const {
  if (code_ == Code::kInvalidConfig) return Error::config(path_of(key), why);
  return Error::make(code_, "key " + quote(path_of(key)) + ": " + std::string(why));
}

Error Fields::wrong_type(std::string_view key, const Json& value, std::string_view wanted) const {
  return fault(key, "must be " + std::string(wanted) + ", not " + shown(value));
}

Status Fields::refuse_nul(std::string_view key, const std::string& text) const {
  if (text.find('\0') == std::string::npos) return {};
  // Decoded it was: the value is at fault, not the text it stands in.
  const Fields judge(*object_, path_, code_ == Code::kDecode ? Code::kInvalidConfig : code_);
  return judge.fault(key, "must not hold a NUL character: " + quote(text));
}

// A value of this type, or nothing.
Result<const Json*> Fields::value(std::string_view key, KeyType type) const {
  const Json* value = find(key);
  if (value == nullptr || (!keys_.empty() && shape(row(key)->kind.type) != type)) return nullptr;
  if (!holds(*value, type)) return wrong_type(key, *value, to_string(type));
  return value;
}

Result<std::string> Fields::text(std::string_view key) const {
  CNIO_LET(const Json* text, value(key, KeyType::kText));
  if (text == nullptr) return std::string();
  CNIO_TRY(refuse_nul(key, text->get_ref<const std::string&>()));
  return text->get<std::string>();
}

Result<bool> Fields::boolean(std::string_view key, bool otherwise) const {
  CNIO_LET(const Json* flag, value(key, KeyType::kBoolean));
  return flag == nullptr ? otherwise : flag->get<bool>();
}

Result<std::optional<int64_t>> Fields::integer(std::string_view key) const {
  CNIO_LET(const Json* number, value(key, KeyType::kInteger));
  return number == nullptr ? std::optional<int64_t>() : number->get<int64_t>();
}

bool Fields::is_auto(std::string_view key) const {
  const Json* value = find(key);
  const bool text = value != nullptr && value->is_string() && value->get_ref<const std::string&>() == "auto";
  return text && (keys_.empty() || row(key)->kind.type == KeyType::kIntegerOrAuto);
}

Result<std::optional<int64_t>> Fields::integer_within(std::string_view key, int64_t low, int64_t high) const {
  CNIO_LET(const std::optional<int64_t> value, integer(key));
  if (value && (*value < low || *value > high)) {
    return fault(key, "must be within " + std::to_string(low) + " and " + std::to_string(high) + ", not " +
                          std::to_string(*value));
  }
  return value;
}

Result<std::vector<std::string>> Fields::texts(std::string_view key) const {
  CNIO_LET(const Json* values, value(key, KeyType::kTexts));
  std::vector<std::string> out;
  if (values == nullptr) return out;
  for (const Json& value : *values) {
    const std::string place = std::string(key) + "[" + std::to_string(out.size()) + "]";
    if (!value.is_string()) return wrong_type(place, value, "a string");
    CNIO_TRY(refuse_nul(place, value.get_ref<const std::string&>()));
    out.push_back(value.get<std::string>());
  }
  return out;
}

Result<std::optional<IpAddr>> Fields::ip(std::string_view key) const {
  CNIO_LET(const std::string value, text(key));
  if (value.empty()) return std::optional<IpAddr>();
  const auto parsed = IpAddr::parse(value);
  if (!parsed) return fault(key, "must be an IP address, not " + quote(value));
  return parsed;
}

Result<std::optional<Cidr>> Fields::cidr(std::string_view key) const {
  CNIO_LET(const std::string value, text(key));
  if (value.empty()) return std::optional<Cidr>();
  const auto parsed = Cidr::parse(value);
  if (!parsed) return fault(key, "must be an address with a prefix length such as 10.1.0.0/16, not " + quote(value));
  return parsed;
}

// One that the object has below `key`.
Fields Fields::inside(const Json& object, std::string_view key, std::string path) const {
  const Key* holder = keys_.empty() ? nullptr : row(key);
  return Fields(object, std::move(path), code_).knowing(holder == nullptr ? Keys() : holder->members);
}

Result<Fields> Fields::object(std::string_view key) const {
  static const Json kEmpty = Json::object();
  CNIO_LET(const Json* object, value(key, KeyType::kObject));
  return inside(object == nullptr ? kEmpty : *object, key, path_of(key));
}

Result<std::vector<std::pair<std::string, std::string>>> Fields::members(std::string_view key) const {
  CNIO_LET(const Json* object, value(key, KeyType::kObject));
  std::vector<std::pair<std::string, std::string>> out;
  if (object == nullptr) return out;
  for (const auto& [name, member] : object->get_ref<const Json::object_t&>()) {
    const std::string place = std::string(key) + "." + name;
    if (!member.is_string()) return wrong_type(place, member, "a string");
    CNIO_TRY(refuse_nul(place, member.get_ref<const std::string&>()));
    out.emplace_back(name, member.get<std::string>());
  }
  return out;
}

Result<std::vector<Fields>> Fields::elements(const Json& values, std::string_view key, const std::string& path) const {
  std::vector<Fields> out;
  for (const Json& value : values) {
    const std::string place = path + "[" + std::to_string(out.size()) + "]";
    if (!value.is_object()) return Fields(*object_, {}, code_).wrong_type(place, value, "an object");
    out.push_back(inside(value, key, place));
  }
  return out;
}

Result<std::vector<Fields>> Fields::objects(std::string_view key) const {
  CNIO_LET(const Json* values, value(key, KeyType::kObjects));
  if (values == nullptr) return std::vector<Fields>();
  return elements(*values, key, path_of(key));
}

Result<std::vector<std::vector<Fields>>> Fields::object_lists(std::string_view key) const {
  CNIO_LET(const Json* values, value(key, KeyType::kObjectLists));
  std::vector<std::vector<Fields>> out;
  if (values == nullptr) return out;
  for (const Json& value : *values) {
    const std::string place = path_of(key) + "[" + std::to_string(out.size()) + "]";
    if (!value.is_array()) return Fields(*object_, {}, code_).wrong_type(place, value, "a list");
    CNIO_LET(std::vector<Fields> inner, elements(value, key, place));
    out.push_back(std::move(inner));
  }
  return out;
}

}  // namespace cnio::protocol
