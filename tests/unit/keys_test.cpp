// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/keys.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnio/attachment/masquerading.hpp"

#include "bandwidth/config.hpp"
#include "bridge/config.hpp"
#include "cnioctl/inside/known_plugins.hpp"
#include "firewall/config.hpp"
#include "flannel/config.hpp"
#include "host-local/config.hpp"
#include "portmap/config.hpp"
#include "ptp/config.hpp"
#include "static/config.hpp"
#include "support/matchers.hpp"
#include "tuning/config.hpp"

namespace cnio::protocol {
namespace {

using ::testing::ElementsAre;

// ---- a table is all that can be read

constexpr Key kInner[] = {{"id", KeyType::kInteger, "none", "a number"}};
constexpr Key kTable[] = {
    {"speed", KeyType::kIntegerOrAuto, "10", "how fast", "1 to 20"},
    {"lanes", ours(KeyType::kObjects), "[]", "where", "", kInner},
    {"free", KeyType::kObject, "{}", "anything"},
    {"mac", {KeyType::kText, kRuntimeConfig | kArgsCni}, "none", "who"},
    {"MAC", {KeyType::kText, kCniArgs}, "none", "who"},
};

TEST(Keys, WhatIsNotInTheTableIsAbsent) {
  const Json json = Json::parse(R"({"speed": 3, "other": true, "type": "t", "lanes": [{"id": 1, "other": 2}],
                                    "free": {"x": 1}})");
  const Fields fields = Fields(json).knowing(kTable);
  EXPECT_EQ(fields.integer("speed").value(), 3);
  EXPECT_FALSE(fields.has("other") || fields.boolean("other").value());
  EXPECT_EQ(fields.text("type").value(), "t") << "the specification's belong to each table";
  const Fields lane = fields.objects("lanes").value().at(0);
  EXPECT_EQ(lane.integer("id").value(), 1);
  EXPECT_FALSE(lane.has("other") || lane.has("type"));
  EXPECT_TRUE(fields.object("free").value().has("x")) << "members that no table has are for their own reader";
  EXPECT_TRUE(Fields(json).has("other")) << "without a table";
}

TEST(Keys, WhatIsReadAsAnotherTypeIsAbsent) {
  const Json json = Json::parse(R"({"speed": "fast", "free": {"x": 1}})");
  const Fields fields = Fields(json).knowing(kTable);
  EXPECT_EQ(fields.text("speed").value(), "");
  EXPECT_ERROR(fields.integer("speed"), Code::kInvalidConfig, "\"speed\"", "an integer", "fast");
  EXPECT_TRUE(fields.texts("free").value().empty());
}

TEST(Keys, AutoIsForThoseThatMayBe) {
  const Json json = Json::parse(R"({"speed": "auto", "mac": "auto", "type": "auto"})");
  const Fields fields = Fields(json).knowing(kTable);
  EXPECT_TRUE(fields.is_auto("speed"));
  EXPECT_FALSE(fields.is_auto("type") || fields.is_auto("mac") || fields.is_auto("lanes"));
}

TEST(Keys, EachPlaceHasItsOwn) {
  const Json json = Json::parse(R"({"mac": "1", "speed": 1, "runtimeConfig": {"mac": "2", "speed": 2},
                                    "args": {"cni": {"mac": "3"}}})");
  const Fields fields = Fields(json).knowing(kTable);
  EXPECT_FALSE(fields.has("mac") || fields.has("runtimeConfig"));
  EXPECT_EQ(fields.at(kRuntimeConfig).value().text("mac").value(), "2");
  EXPECT_FALSE(fields.at(kRuntimeConfig).value().has("speed"));
  EXPECT_EQ(fields.at(kArgsCni).value().text("mac").value(), "3");
  EXPECT_THAT(cni_args_keys(kTable), ElementsAre("MAC"));
  const Json odd = Json::parse(R"({"runtimeConfig": 1, "args": {"cni": 2}})");
  EXPECT_ERROR(Fields(odd).knowing(kTable).at(kRuntimeConfig), Code::kInvalidConfig, "\"runtimeConfig\"", "an object");
  EXPECT_ERROR(Fields(odd).knowing(kTable).at(kArgsCni), Code::kInvalidConfig, "\"args.cni\"", "an object");
}

TEST(Keys, AreDescribedInTwoLinesEach) {
  EXPECT_EQ(describe(kTable),
            "  speed: 1 to 20; 10\n      how fast\n"
            "  lanes *: list of objects; []\n      where\n"
            "  lanes[].id: integer; none\n      a number\n"
            "  free: object; {}\n      anything\n"
            "  runtimeConfig.mac, args.cni.mac: string; none\n      who\n"
            "  CNI_ARGS MAC: string; none\n      who\n");
}

// ---- the tables of the plugins, and what their parsers make of each row

struct Reader {
  std::string plugin;
  Keys keys;
  Json config;                                                    // one in which each key has an effect
  std::function<Status(const Request&)> read;                     // all that the plugin reads of a configuration
  std::function<bool(const Request&, const Request&)> same = {};  // do these mean the same?
  Json least = config;                                            // one without any key that has a default
  Json at_runtime = config;                                       // `config`, for what stands in `runtimeConfig`
};

Request request(const Json& config, const std::string& cni_args = "") {
  const Environment environment({"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none",
                                 "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin", "CNI_ARGS=" + cni_args});
  Request out = parse_environment(environment).value();
  EXPECT_OK(parse_stdin(out, config.dump())) << config.dump();
  return out;
}

const Json kLeast = {{"cniVersion", "1.1.0"}, {"name", "n"}};

Json least_with(const Json& members) {
  Json out = kLeast;
  out.update(members);
  return out;
}

// Of a plugin as cnioctl knows it. What `meaning` gives of a request is all that a configuration can change.
template <class Meaning>
Reader reader_of(std::string_view name, const Json& config, const Json& least, Meaning meaning) {
  const cnioctl::KnownPlugin* plugin = cnioctl::find_plugin(name);
  if (plugin == nullptr) throw std::invalid_argument("no plugin " + std::string(name));
  const auto same = [=](const Request& a, const Request& b) { return meaning(a) == meaning(b); };
  return {std::string(name), plugin->keys, config, plugin->parse, same, least, config};
}

// The back end that masquerades is looked at where it is used.
std::string masquerade_of(const attachment::MainConfig& config) {
  return attachment::masquerade_backend(config).value() == firewall::MasqueradeBackend::kNftables ? "n" : "i";
}

Reader bridge_reader() {
  const auto meaning = [](const Request& request) {
    bridge::Config out = bridge::parse_config(request).value();
    out.ip_masq_backend = masquerade_of(out);
    return out;
  };
  return reader_of("bridge", least_with({{"ipMasq", true}, {"ipam", {{"type", "x"}}}}), kLeast, meaning);
}

Reader ptp_reader() {
  const auto meaning = [](const Request& request) -> attachment::MainConfig {
    attachment::MainConfig out = ptp::parse_config(request).value();
    out.ip_masq_backend = masquerade_of(out);
    return out;
  };
  return reader_of("ptp", least_with({{"ipMasq", true}, {"ipam", {{"type", "x"}}}}),
                   least_with({{"ipam", {{"type", "x"}}}}), meaning);
}

Reader host_local_reader() {
  const Json least = least_with({{"ipam", {{"subnet", "10.1.0.0/24"}}}});
  Json config = least;
  config["ipam"]["routes"] = {{{"dst", "0.0.0.0/0"}}};
  config["ipam"]["ranges"] = {{{{"subnet", "10.2.0.0/24"}, {"gateway", "10.2.0.1"}}}};
  const auto meaning = [](const Request& request) {
    const host_local::Config out = host_local::parse_config(request).value();
    std::string sets;
    for (const ipam::RangeSet& set : out.sets) sets += set.to_string() + (set.has_excluded() ? " -; " : "; ");
    return std::tuple(sets, out.requested, out.routes.size(), out.resolv_conf, out.store.folder, out.store.lock_limit,
                      out.store.reclaim);
  };
  return reader_of("host-local", config, least, meaning);
}

Reader static_reader() {
  const auto meaning = [](const Request& request) {
    const static_ipam::Config out = static_ipam::parse_config(request).value();
    return std::tuple(out.addresses.size(), out.routes.size(), out.dns);
  };
  Json config = least_with({{"ipam", Json::object()}});
  config["ipam"]["addresses"] = Json::array({{{"address", "10.1.0.5/24"}, {"gateway", "10.1.0.1"}}});
  config["ipam"]["routes"] = Json::array({{{"dst", "0.0.0.0/0"}}});
  return reader_of("static", config, least_with({{"ipam", Json::object()}}), meaning);
}

Reader portmap_reader() {
  const auto meaning = [](const Request& request) {
    const firewall::PortMapSpec out = portmap::parse_config(request).value();
    return std::tuple(out.mappings, out.snat, out.masquerade_all, out.mark, out.set_mark_chain, out.conditions_v4,
                      out.conditions_v6, out.backend);
  };
  const Json mapping = {{"hostPort", 1}, {"containerPort", 1}, {"protocol", "tcp"}};
  const Json config = least_with({{"runtimeConfig", {{"portMappings", {mapping}}}}});
  return reader_of("portmap", config, config, meaning);
}

Reader firewall_reader() {
  const auto meaning = [](const Request& request) {
    const pod_firewall::Config out = pod_firewall::parse_config(request).value();
    return std::tuple(out.backend, out.admin_chain, out.zone, out.policy);
  };
  return reader_of("firewall", kLeast, kLeast, meaning);
}

Reader flannel_reader() {
  const auto meaning = [](const Request& request) {
    const flannel::Config out = flannel::parse_config(request).value();
    const auto value = [](const Json* object) { return object == nullptr ? Json::object() : *object; };
    return std::tuple(out.subnet_file, out.data_dir, value(out.delegate), value(out.ipam), value(out.dns));
  };
  return reader_of("flannel", kLeast, kLeast, meaning);
}

Reader tuning_reader() {
  const auto meaning = [](const Request& request) {
    const tuning::Config out = tuning::parse_config(request).value();
    return std::tuple(out.settings.size(), out.link, tuning::data_dir(request));
  };
  return reader_of("tuning", kLeast, kLeast, meaning);
}

Reader bandwidth_reader() {
  const Json limits = {{"ingressRate", 8000}, {"ingressBurst", 8000}, {"egressRate", 8000}, {"egressBurst", 8000}};
  const auto meaning = [](const Request& request) {
    const bandwidth::Config out = bandwidth::parse_config(request).value();
    return std::tuple(out.ingress, out.egress, out.latency_ms);
  };
  Reader out = reader_of("bandwidth", least_with(limits), kLeast, meaning);
  out.at_runtime = least_with({{"runtimeConfig", {{"bandwidth", limits}}}});
  return out;
}

Reader common_reader() {
  const Json config = {{"cniVersion", "1.1.0"}, {"name", "n"}, {"cni.dev/valid-attachments", Json::array()}};
  return {"every plugin", kCommonKeys, config, [](const Request& request) -> Status {
            CNIO_TRY(check_common_keys(request.fields()));
            CNIO_TRY(parse_prev_result(request.fields(), request.version));
            CNIO_TRY(parse_valid_attachments(request.fields()));
            return {};
          }};
}

std::vector<Reader> readers() {
  return {bandwidth_reader(), bridge_reader(), firewall_reader(), flannel_reader(), host_local_reader(),
          portmap_reader(),   ptp_reader(),    static_reader(),   tuning_reader(),  common_reader()};
}

TEST(KeyTables, EveryPluginIsTried) {
  std::set<std::string, std::less<>> tried;
  for (const Reader& reader : readers()) tried.insert(reader.plugin);
  for (const cnioctl::KnownPlugin& plugin : cnioctl::known_plugins()) {
    EXPECT_EQ(tried.contains(plugin.name), !plugin.keys.empty()) << plugin.name << ": readers() has to have it";
  }
}

// A row with the ways to it: the names that it goes by, and what puts a value there.
struct Row {
  const Key& key;
  std::string path;                      // in messages: "vlanTrunk[0].id"
  std::function<void(Json&, Json)> put;  // into a configuration
  std::function<void(Json&)> remove;     // from one
};

void collect(std::vector<Row>& rows, const Keys& keys, const std::string& path,
             const std::function<Json&(Json&)>& object);

void collect_members(std::vector<Row>& rows, const Key& key, const std::string& path,
                     const std::function<Json&(Json&)>& object) {
  const std::string name(key.name);
  const size_t lists = key.kind.type == KeyType::kObjects ? 1 : key.kind.type == KeyType::kObjectLists ? 2 : 0;
  std::string inner = path;
  for (size_t i = 0; i < lists; ++i) inner += "[0]";
  collect(rows, key.members, inner + ".", [=](Json& config) -> Json& {
    Json* at = &object(config)[name];
    for (size_t i = 0; i < lists; ++i) {
      if (!at->is_array() || at->empty()) *at = Json::array({nullptr});
      at = &(*at)[0];
    }
    if (!at->is_object()) *at = Json::object();
    return *at;
  });
}

void collect(std::vector<Row>& rows, const Keys& keys, const std::string& path,
             const std::function<Json&(Json&)>& object) {
  for (const Key& key : keys) {
    const std::string name(key.name);
    const auto add = [&](const std::string& before, const std::function<Json&(Json&)>& holder) {
      rows.push_back({key, before + path + name,
                      [=](Json& config, Json value) { holder(config)[name] = std::move(value); },
                      [=](Json& config) {
                        Json& place = holder(config);
                        if (place.is_object()) place.erase(name);
                      }});
      collect_members(rows, key, before + path + name, holder);
    };
    if ((key.kind.places & kConfiguration) != 0) add("", object);
    if ((key.kind.places & kRuntimeConfig) != 0) {
      add("runtimeConfig.", [](Json& config) -> Json& { return config["runtimeConfig"]; });
    }
    if ((key.kind.places & kArgsCni) != 0)
      add("args.cni.", [](Json& config) -> Json& { return config["args"]["cni"]; });
  }
}

std::vector<Row> rows_of(const Keys& keys) {
  std::vector<Row> rows;
  collect(rows, keys, "", [](Json& config) -> Json& { return config; });
  return rows;
}

const Json& config_for(const Reader& reader, const Row& row) {
  return row.path.starts_with("runtimeConfig.") ? reader.at_runtime : reader.config;
}

// Values of every other type.
std::vector<Json> wrong_values(KeyType type) {
  switch (type) {
    case KeyType::kBoolean:
      return {1, "true", Json::array(), Json::object()};
    case KeyType::kInteger:
    case KeyType::kIntegerOrAuto:
      return {true, "1", 1.0, Json::array(), Json::object()};
    case KeyType::kText:
      return {true, 1, Json::array(), Json::object()};
    case KeyType::kTexts:
      return {true, 1, "x", Json::object(), Json::array({1}), Json::array({nullptr})};
    case KeyType::kObject:
      return {true, 1, "x", Json::array()};
    case KeyType::kObjects:
      return {true, 1, "x", Json::object(), Json::array({1}), Json::array({nullptr})};
    case KeyType::kObjectLists:
      return {true, 1, "x", Json::object(), Json::array({1}), Json::array({Json::array({1})})};
  }
  return {};
}

TEST(KeyTables, EachKeyIsReadAsItsType) {
  for (const Reader& reader : readers()) {
    for (const Row& row : rows_of(reader.keys)) {
      if (row.path == "name" || row.path == "cniVersion") continue;  // read with stdin: request_test.cpp
      for (const Json& wrong : wrong_values(row.key.kind.type)) {
        Json config = config_for(reader, row);
        row.put(config, wrong);
        EXPECT_ERROR(reader.read(request(config)), Code::kInvalidConfig, "key \"" + row.path, "must be ")
            << reader.plugin << " " << config.dump();
      }
    }
  }
}

TEST(KeyTables, WhatHoldsWithoutAKeyIsWhatTheTableSays) {
  for (const Reader& reader : readers()) {
    if (!reader.same) continue;
    size_t tried = 0;
    for (const Row& row : rows_of(reader.keys)) {
      const Json value = Json::parse(row.key.otherwise, nullptr, false);
      if (value.is_discarded()) continue;
      Json without = reader.least;
      row.remove(without);
      Json with = without;
      row.put(with, value);
      EXPECT_TRUE(reader.same(request(with), request(without))) << reader.plugin << " " << with.dump();
      ++tried;
    }
    EXPECT_GT(tried, 0U) << reader.plugin;
  }
}

// Without it, what has it is refused; without any other, it is not.
TEST(KeyTables, RequiredIsWhatTheTableSays) {
  size_t required = 0;
  size_t others = 0;
  for (const Reader& reader : readers()) {
    for (const Row& row : rows_of(reader.keys)) {
      if (row.path == "name" || row.path == "cniVersion") continue;  // read with stdin: request_test.cpp
      const Json config = config_for(reader, row);
      Json without = config;
      row.remove(without);
      const std::string_view otherwise = row.key.otherwise;
      const std::string message = reader.plugin + " " + row.path + " " + without.dump();
      if (otherwise == "required") {
        EXPECT_FALSE(reader.read(request(without)).ok()) << message;
        ++required;
      } else if (without.flatten().size() < config.flatten().size() && !otherwise.starts_with("required") &&
                 !row.path.ends_with("Rate")) {  // a burst needs a rate
        EXPECT_OK(reader.read(request(without))) << message;
        ++others;
      }
    }
  }
  EXPECT_GT(required, 5U);
  EXPECT_GT(others, 5U);
}

TEST(KeyTables, LimitsAreWhatTheTableSays) {
  size_t tried = 0;
  for (const Reader& reader : readers()) {
    for (const Row& row : rows_of(reader.keys)) {
      int64_t low = 0;
      int64_t high = 0;
      if (row.key.kind.type == KeyType::kText || std::sscanf(row.key.values, "%ld to %ld", &low, &high) != 2) continue;
      const auto with = [&](int64_t value) {
        Json config = config_for(reader, row);
        // One of these needs the other.
        if (row.path.ends_with(".minID") || row.path.ends_with(".maxID")) {
          config["vlanTrunk"] = Json::array({{{"minID", value}, {"maxID", value}}});
        }
        if (row.path.ends_with("Burst") && value == 0) {  // none, which a rate needs
          std::string rate = "/" + row.path.substr(0, row.path.size() - 5) + "Rate";
          std::replace(rate.begin(), rate.end(), '.', '/');
          config[Json::json_pointer(rate)] = 0;
        }
        row.put(config, value);
        return reader.read(request(config));
      };
      for (const int64_t outside : {low - 1, high + 1}) {
        EXPECT_ERROR(with(outside), Code::kInvalidConfig, "key \"" + row.path.substr(0, row.path.find('.')))
            << row.path << " " << outside;
      }
      for (const int64_t inside : {low, high}) EXPECT_OK(with(inside)) << row.path << " " << inside;
      ++tried;
    }
  }
  EXPECT_EQ(tried, 18U);
}

// The texts in quotation marks: "nftables" or "iptables".
std::vector<std::string> choices(std::string_view values) {
  std::vector<std::string> out;
  for (size_t at = values.find('"'); at != std::string_view::npos; at = values.find('"', at + 1)) {
    const size_t end = values.find('"', at + 1);
    out.emplace_back(values.substr(at + 1, end - at - 1));
    at = end;
  }
  return out;
}

TEST(KeyTables, ChoicesAreWhatTheTableSays) {
  for (const Reader& reader : readers()) {
    for (const Row& row : rows_of(reader.keys)) {
      std::vector<std::string> taken = choices(row.key.values);
      if (taken.empty()) continue;
      for (const std::string& each : taken) {
        Json config = config_for(reader, row);
        row.put(config, each);
        EXPECT_OK(reader.read(request(config))) << config.dump();
      }
      Json config = config_for(reader, row);
      row.put(config, "another");
      EXPECT_ERROR(reader.read(request(config)), Code::kInvalidConfig, row.path, "another") << config.dump();
    }
  }
}

TEST(KeyTables, ArgumentsAreWhatTheTableSays) {
  for (const Reader& reader : {bridge_reader(), host_local_reader()}) {
    EXPECT_THAT(cni_args_keys(reader.keys), ElementsAre(reader.plugin == "bridge" ? "MAC" : "IP"));
    for (const std::string_view key : cni_args_keys(reader.keys)) {
      EXPECT_ERROR(reader.read(request(reader.config, std::string(key) + "=x")), Code::kInvalidEnvironment, key);
    }
  }
}

TEST(KeyTables, NamesAreUniqueAndTextsCanBePrinted) {
  for (const Reader& reader : readers()) {
    std::set<std::string> paths;
    for (const Row& row : rows_of(reader.keys)) {
      EXPECT_TRUE(paths.insert(row.path).second) << row.path << " is there twice";
      EXPECT_EQ(row.path.find_first_of(":; "), std::string::npos) << row.path;
      EXPECT_EQ(std::string_view(row.key.values).find(';'), std::string_view::npos) << row.path;
      EXPECT_FALSE(*row.key.otherwise == 0 || *row.key.meaning == 0) << row.path;
      for (const std::string_view text : {row.key.values, row.key.otherwise, row.key.meaning}) {
        EXPECT_EQ(text.find_first_of("\n|"), std::string_view::npos) << row.path;
      }
    }
  }
}

}  // namespace
}  // namespace cnio::protocol
