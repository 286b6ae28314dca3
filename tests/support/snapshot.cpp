// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/snapshot.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sys/stat.h>

#include "support/host.hpp"
#include "support/judge.hpp"

namespace cnio::test {
namespace {

constexpr const char* kStore = "/var/lib/cni";

std::string link_text(const Json& link) {
  Json kept;
  // operstate and the derived flags of a bridge follow its ports; both are asserted where they matter.
  for (const char* key : {"address", "mtu", "master", "ifalias", "txqlen", "promiscuity"}) {
    if (link.contains(key)) kept[key] = link[key];
  }
  const Json flags = link.value("flags", Json::array());
  kept["up"] = std::find(flags.begin(), flags.end(), "UP") != flags.end();
  kept["kind"] = link.value("linkinfo", Json::object()).value("info_kind", "");
  return kept.dump();
}

std::string mode_text(const std::filesystem::path& path) {
  struct stat status {};
  ::lstat(path.c_str(), &status);
  std::string digits;
  for (unsigned shift = 0; shift <= 9; shift += 3) {
    digits.insert(digits.begin(), static_cast<char>('0' + ((status.st_mode >> shift) & 7U)));
  }
  return digits;
}

}  // namespace

bool made_by_kernel(const std::string& text) {
  return text.find("\"fe80:") != std::string::npos || text.find("\"ff00::/8\"") != std::string::npos;
}

void Snapshot::add_links(const std::string& netns) {
  for (const Json& link : ip_json({"addr", "show"}, netns)) {
    const auto name = link.at("ifname").get<std::string>();
    lines_.push_back({"link", name, link_text(link)});
    for (const Json& address : link.value("addr_info", Json::array())) {
      Json kept;
      for (const char* key : {"local", "prefixlen", "broadcast", "scope"}) {
        if (address.contains(key)) kept[key] = address[key];
      }
      if (!made_by_kernel(kept.dump())) lines_.push_back({"address", name, kept.dump()});
    }
  }
}

void Snapshot::add_routes(const std::string& netns, const std::string& family) {
  for (const Json& route : ip_json({family, "route", "show", "table", "all"}, netns)) {
    if (!made_by_kernel(route.dump())) lines_.push_back({"route", route.value("dev", ""), route.dump()});
  }
}

void Snapshot::add_rules(const std::string& netns) {
  for (const std::string& object : nft_objects(netns)) {
    const Json parsed = Json::parse(object);
    const Json& inner = parsed.begin().value();
    const std::string table = parsed.begin().key() == "table" ? "name" : "table";
    lines_.push_back({"nft", inner.value("family", "") + " " + inner.value(table, ""), object});
  }
}

void Snapshot::add_tree(const std::string& folder) {
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::string text = mode_text(entry.path());
    if (entry.is_regular_file())
      text += " " + Json(read_file(entry.path())).dump(-1, ' ', true, Json::error_handler_t::replace);
    lines_.push_back({entry.is_directory() ? "folder" : "file", entry.path(), text});
  }
}

Snapshot Snapshot::of(const std::string& netns) {
  Snapshot snapshot;
  snapshot.add_links(netns);
  snapshot.add_routes(netns, "-4");
  snapshot.add_routes(netns, "-6");
  snapshot.add_rules(netns);
  for (const char* name : {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"}) {
    snapshot.lines_.push_back({"sysctl", name, sysctl(name, netns)});
  }
  std::sort(snapshot.lines_.begin(), snapshot.lines_.end());
  return snapshot;
}

Snapshot Snapshot::of_host() {
  Snapshot snapshot = of();
  snapshot.add_tree(kStore);
  std::sort(snapshot.lines_.begin(), snapshot.lines_.end());
  return snapshot;
}

Snapshot Snapshot::of_tree(const std::string& folder) {
  Snapshot snapshot;
  snapshot.add_tree(folder);
  std::sort(snapshot.lines_.begin(), snapshot.lines_.end());
  return snapshot;
}

template <typename Predicate>
Snapshot Snapshot::without(Predicate drop) const {
  Snapshot rest = *this;
  std::erase_if(rest.lines_, drop);
  return rest;
}

Snapshot Snapshot::without_device(const std::string& device) const {
  return without([&](const Line& line) {
    return line.subject == device && (line.kind == "link" || line.kind == "address" || line.kind == "route");
  });
}

Snapshot Snapshot::without_cursors() const {
  return without([](const Line& line) {
    if (line.kind == "folder") return true;
    const std::string name = std::filesystem::path(line.subject).filename();
    return line.kind == "file" && (name == "lock" || name.starts_with("last_reserved_ip."));
  });
}

Snapshot Snapshot::without_forwarding() const {
  return without([](const Line& line) { return line.kind == "sysctl"; });
}

Snapshot Snapshot::without_masquerade_frame() const {
  return without([](const Line& line) {
    if (line.kind != "nft" || line.subject != "inet cnio_masquerade") return false;
    const Json object = Json::parse(line.text);
    if (object.contains("table")) return true;
    if (object.contains("chain")) return object["chain"].contains("hook");
    if (object.contains("rule")) return object["rule"].value("chain", "") == "postrouting";
    return !object.begin().value().contains("elem");
  });
}

Snapshot Snapshot::without_port_map_frame() const {
  return without([](const Line& line) {
    if (line.kind != "nft") return false;
    // Of iptables' chains: all but the pods' own, and what leads to them.
    if (line.subject == "ip nat" || line.subject == "ip6 nat") return line.text.find("CNI-DN-") == std::string::npos;
    if (line.subject != "inet cnio_portmap") return false;
    const Json object = Json::parse(line.text);
    if (!object.contains("chain") && !object.contains("rule")) return !object.begin().value().contains("elem");
    const std::string chain = object.begin().value().value(object.contains("chain") ? "name" : "chain", "");
    return !chain.starts_with("ports-");
  });
}

Snapshot Snapshot::without_firewall_frame() const {
  return without([](const Line& line) {
    const bool filter = line.subject == "ip filter" || line.subject == "ip6 filter";
    if (line.kind != "nft" || !filter) return false;
    const Json object = Json::parse(line.text);
    return !object.contains("rule") || line.text.find("\"jump\"") != std::string::npos;
  });
}

std::string Snapshot::text() const {
  std::string all;
  for (const Line& line : lines_) all += line.kind + " " + line.subject + " " + line.text + "\n";
  return all;
}

::testing::AssertionResult same(const Snapshot& before, const Snapshot& after) {
  std::vector<Snapshot::Line> went;
  std::vector<Snapshot::Line> came;
  std::set_difference(before.lines_.begin(), before.lines_.end(), after.lines_.begin(), after.lines_.end(),
                      std::back_inserter(went));
  std::set_difference(after.lines_.begin(), after.lines_.end(), before.lines_.begin(), before.lines_.end(),
                      std::back_inserter(came));
  if (went.empty() && came.empty()) return ::testing::AssertionSuccess();
  auto failure = ::testing::AssertionFailure() << "the state changed:\n";
  for (const auto& line : went) failure << "  - " << line.kind << " " << line.subject << " " << line.text << "\n";
  for (const auto& line : came) failure << "  + " << line.kind << " " << line.subject << " " << line.text << "\n";
  return failure;
}

}  // namespace cnio::test
