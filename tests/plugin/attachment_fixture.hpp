// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {

/// What others do to a host end.
struct Change {
  std::string name;
  std::function<void(const std::string& link)> make;
  /// Can it still be told whose it is when our record is lost, too?
  bool told_without_record = true;
};
inline void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

inline void rename_link(const std::string& link, const std::string& name) {
  must_run({"ip", "link", "set", link, "down"});
  must_run({"ip", "link", "set", link, "name", name});
  must_run({"ip", "link", "set", name, "up"});
}

inline const std::vector<Change>& host_end_changes() {
  static const std::vector<Change> kChanges = {
      {"Nothing", [](const std::string&) {}},
      {"Renamed", [](const std::string& link) { rename_link(link, "uplink7"); }},
      {"AliasRewritten",
       [](const std::string& link) {
         must_run({"ip", "link", "set", link, "alias", "mine"});
       }},
      {"AliasCleared",
       [](const std::string& link) {
         must_run({"ip", "link", "set", link, "alias", ""});
       }},
      {"MacChanged",
       [](const std::string& link) {
         must_run({"ip", "link", "set", link, "address", "02:00:00:00:00:66"});
       }},
      {"OutOfTheBridge",
       [](const std::string& link) {
         must_run({"ip", "link", "set", link, "nomaster"});
       }},
      {"InAnotherBridge",
       [](const std::string& link) {
         must_run({"ip", "link", "add", "br9", "type", "bridge"});
         must_run({"ip", "link", "set", link, "master", "br9"});
       }},
      {"BridgeDeleted",
       [](const std::string&) {
         must_run({"ip", "link", "del", "br0"});
       }},
      {"BridgeRenamed", [](const std::string&) { rename_link("br0", "br9"); }},
      {"RenamedAndTakenOut",
       [](const std::string& link) {
         rename_link(link, "uplink7");
         must_run({"ip", "link", "set", "uplink7", "nomaster"});
       }},
      {"AliasAndMacAndBridge",
       [](const std::string& link) {
         must_run({"ip", "link", "set", link, "alias", "mine"});
         must_run({"ip", "link", "set", link, "address", "02:00:00:00:00:66"});
         must_run({"ip", "link", "set", link, "nomaster"});
       },
       false},
      {"Everything",
       [](const std::string& link) {
         must_run({"ip", "link", "set", link, "alias", "cnio net/c9/eth0"});
         must_run({"ip", "link", "set", link, "address", "02:00:00:00:00:66"});
         must_run({"ip", "link", "set", link, "nomaster"});
         rename_link(link, "uplink7");
       },
       false},
  };
  return kChanges;
}

/// Those after which our record is not the last that tells whose it is.
inline std::vector<Change> told_without_record() {
  std::vector<Change> out;
  for (const Change& change : host_end_changes()) {
    if (change.told_without_record) out.push_back(change);
  }
  return out;
}

class AttachmentTest : public BridgeTest {
 protected:
  static constexpr char kRecords[] = "/run/cnio/attachments";

  static std::size_t records() {
    std::error_code none;
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kRecords, none)) count += entry.exists() ? 1 : 0;
    return count;
  }
  static void lose_records() { std::filesystem::remove_all("/run/cnio"); }

  /// Interfaces of the host that lead into a pod.
  static std::vector<std::string> host_ends() {
    std::vector<std::string> names;
    for (const Json& link : ip_json({"link", "show", "type", "veth"}))
      names.push_back(link.at("ifname").get<std::string>());
    return names;
  }
  static std::string address_of(const Json& result) {
    const auto cidr = result.at("ips").at(0).at("address").get<std::string>();
    return cidr.substr(0, cidr.find('/'));
  }
  static std::string mac_of(const Json& result) { return result.at("interfaces").at(2).at("mac").get<std::string>(); }
  static Attachment nowhere(Attachment attachment) {
    attachment.netns.clear();
    return attachment;
  }
  static Json valid(Json config, const std::vector<std::string>& containers) {
    std::vector<std::pair<std::string, std::string>> list;
    for (const std::string& each : containers) list.emplace_back(each, "eth0");
    return with_valid_attachments(std::move(config), list);
  }
  static void expect_nothing_of(const std::string& container, const std::string& address,
                                const std::string& network = "net") {
    EXPECT_FALSE(store_holds(address, network)) << address;
    EXPECT_TRUE(nft_objects_with(address).empty()) << address;
    EXPECT_TRUE(nft_objects_with("macspoofchk-" + container + "-").empty()) << container;
  }
  /// With all that we can make for a pod.
  static Json full_config() {
    Json config = bridge_config();
    config["ipMasq"] = true;
    config["macspoofchk"] = true;
    return config;
  }
};

}  // namespace cnio::test
